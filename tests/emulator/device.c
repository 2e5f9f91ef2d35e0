/* Run a program's step for each record of a file, on an emulated Cortex-M without any system.
 *
 * Records are read from the file `input`, what a step puts out is written to `output`, and to
 * `counts` two words for each step: ticks of the processor's timer, and bytes of stack that all
 * steps so far have needed, found by what is left of a pattern. Files are the host's, reached by
 * semihosting: a breakpoint at which the emulator acts.
 */
#include "device.h"

#define PATTERN 0xA5C3F017u
#define REGISTER(address) (*(volatile uint32_t *)(address))
#define TIMER_CONTROL REGISTER(0xE000E010)
#define TIMER_RELOAD REGISTER(0xE000E014)
#define TIMER REGISTER(0xE000E018)
#define LARGEST 0xFFFFFFu
#define COPROCESSORS REGISTER(0xE000ED88)

extern uint32_t stack_top[], data_start[], data_end[], data_values[], bss_start[], bss_end[];

enum { OPEN = 0x01, CLOSE = 0x02, WRITE = 0x05, READ = 0x06, EXIT = 0x18 };

static inline uint32_t host(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static _Noreturn void end(int failed)
{
    host(EXIT, (const void *)(failed ? 0x20023u : 0x20026u)); /* a run-time error, or the end */
    for (;;)
        ;
}

static void fault(void) { end(1); }

static uint32_t opened(const char *name, uint32_t length, uint32_t mode)
{
    const uint32_t arguments[] = {(uint32_t)name, mode, length};
    return host(OPEN, arguments);
}

static inline uint32_t stack_pointer(void)
{
    uint32_t sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

/* Nothing in the loop but a step uses the stack: the arguments of calls are not there. */
static _Noreturn void steps(void)
{
    static struct { uint32_t file; const void *address; uint32_t bytes; } read, write, note;
    static uint32_t counts[2];
    read.file = opened("input", 5, 1);   /* rb */
    write.file = opened("output", 6, 5); /* wb */
    note.file = opened("counts", 6, 5);
    read.address = input, read.bytes = input_bytes;
    write.address = output, write.bytes = output_bytes;
    note.address = counts, note.bytes = sizeof counts;
    TIMER_RELOAD = LARGEST;
    TIMER_CONTROL = 5; /* on, at the processor's clock, without interrupts */
    uint32_t *const top = (uint32_t *)stack_pointer();
    for (uint32_t *word = bss_end; word < top; word++)
        *word = PATTERN;
    while (host(READ, &read) == 0) { /* the number of bytes that could not be read */
        TIMER = 0; /* any number starts it anew: a tick later it is the largest, then goes down */
        step();
        counts[0] = LARGEST + 1u - TIMER;
        if (TIMER_CONTROL & 1u << 16) /* it came to 0 */
            end(1);
        const uint32_t *word = bss_end;
        while (word < top && *word == PATTERN)
            word++;
        counts[1] = (uint32_t)(top - word) * 4u;
        host(WRITE, &write);
        host(WRITE, &note);
    }
    host(CLOSE, &write.file);
    host(CLOSE, &note.file);
    end(0);
}

void reset(void)
{
    const uint32_t *value = data_values;
    for (uint32_t *word = data_start; word < data_end; word++)
        *word = *value++;
    for (uint32_t *word = bss_start; word < bss_end; word++)
        *word = 0;
#ifdef __ARM_FP
    COPROCESSORS |= 0xFu << 20; /* the floating-point unit is off at first */
    __asm__ volatile("dsb\n isb");
#endif
    steps();
}

/* Where the processor finds its stack, its start, and what it does at NMI and faults. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*start)(void), (*faults[5])(void);
} vectors = {stack_top, reset, {fault, fault, fault, fault, fault}};
