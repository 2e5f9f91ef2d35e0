/* What a program for device.c defines: a step, and what it reads and puts out. */
#include <stdint.h>

extern void *const input;
extern void *const output;
extern const uint32_t input_bytes, output_bytes;
void step(void);
