/* Call kernels as `calls.py` has called them, and compare what comes out, bit by bit.

Built for another processor and run by its emulator, for vectors of another width, or with
sanitizers: every array is a block of its own of exactly its size. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

enum { MOST = 48 };

#define DECLARE_BOTH(name, signature) Kernel JOIN(name, LEVEL, float), JOIN(name, LEVEL, double);
KERNELS(DECLARE_BOTH)

static const struct {
    const char *name, *signature;
    Kernel *of[2];
} table[] = {
#define ENTRY(name, signature) {#name, signature, {JOIN(name, LEVEL, float), JOIN(name, LEVEL, double)}},
    KERNELS(ENTRY)
};

static void take(FILE *file, void *to, size_t size) {
    if (size && fread(to, size, 1, file) != 1) {
        fprintf(stderr, "the file of calls ends too early\n");
        exit(2);
    }
}

static int64_t take_integer(FILE *file) {
    int64_t value;
    take(file, &value, sizeof value);
    return value;
}

/* A block of exactly this size, of which no byte may be touched if there is none. */
static void *block(size_t size) {
    void *made = malloc(size ? size : 1);
    if (!made) {
        exit(2);
    }
    return made;
}

static int is_nan(const unsigned char *bytes, int size) {
    double real;
    float single;
    memcpy(&single, bytes, sizeof single);
    memcpy(&real, bytes, (size_t)size < sizeof real ? sizeof single : sizeof real);
    return size == 4 ? single != single : real != real;
}

/* Numbers that differ; one NaN is as good as another. */
static long differences(const unsigned char *a, const unsigned char *b, ptrdiff_t size, int item) {
    long count = 0;
    for (ptrdiff_t k = 0; k < size; k++, a += item, b += item) {
        if (memcmp(a, b, (size_t)item) != 0) {
            count += !(item >= 4 && is_nan(a, item) && is_nan(b, item));
        }
    }
    return count;
}

/* One call: 1 if something differs. `called` counts the calls of each kernel. */
static int replay(FILE *file, const char *name, long *called) {
    int index = 0;
    while (index < KERNEL_COUNT && strcmp(table[index].name, name) != 0) {
        index++;
    }
    if (index == KERNEL_COUNT) {
        fprintf(stderr, "there is no kernel %s\n", name);
        exit(2);
    }
    int64_t count = take_integer(file), expected = take_integer(file);
    Array arrays[MOST];
    Number numbers[MOST];
    void *wanted[MOST];
    int items[MOST], written[MOST], array_count = 0, number_count = 0, is_double = 0;
    const char *spec = table[index].signature;
    for (int64_t k = 0; k < count; k++) {
        int64_t kind = take_integer(file);
        if ((char)kind == 'a') {
            int at = array_count++;
            items[at] = (int)take_integer(file);
            arrays[at].size = 1;
            for (int axis = 0; axis < 4; axis++) {
                arrays[at].shape[axis] = (ptrdiff_t)take_integer(file);
                arrays[at].size *= arrays[at].shape[axis];
            }
            size_t bytes = (size_t)arrays[at].size * (size_t)items[at];
            take(file, arrays[at].data = block(bytes), bytes);
            take(file, wanted[at] = block(bytes), bytes);
            written[at] = *spec < 'a';
            is_double |= (*spec == 'r' || *spec == 'R') && items[at] == 8;
        } else if ((char)kind == '0') {
            wanted[array_count] = NULL;
            arrays[array_count++] = (Array){0};
        } else if ((char)kind == '%') {
            take(file, &numbers[number_count++].real, sizeof(double));
        } else {
            numbers[number_count].integer = (ptrdiff_t)take_integer(file);
            if (*spec == '%') {
                numbers[number_count].real = (double)numbers[number_count].integer;
            }
            number_count++;
        }
        spec += strcspn(spec, " ");
        spec += *spec == ' ';
    }
    int result = table[index].of[is_double](arrays, numbers), wrong = result != expected;
    long numbers_wrong = 0;
    for (int k = 0; k < array_count; k++) {
        if (arrays[k].data && written[k]) {
            numbers_wrong += differences(arrays[k].data, wanted[k], arrays[k].size, items[k]);
        }
        free(arrays[k].data);
        free(wanted[k]);
    }
    if (wrong || numbers_wrong) {
        printf("%s, call %ld, %s: result %d of %d, %ld numbers differ\n", name, called[index],
               is_double ? "float64" : "float32", result, (int)expected, numbers_wrong);
    }
    called[index]++;
    return wrong || numbers_wrong;
}

int main(int count, char **arguments) {
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    char magic[16], name[33] = {0};
    if (!file || fread(magic, sizeof magic, 1, file) != 1 || memcmp(magic, "synann kernels 1", 16) != 0) {
        fprintf(stderr, "usage: replay FILE, as `calls.py` writes it\n");
        return 2;
    }
    long called[KERNEL_COUNT] = {0}, calls = 0, wrong = 0, kernels = 0;
    while (fread(name, 32, 1, file) == 1) {
        wrong += replay(file, name, called);
        calls++;
    }
    fclose(file);
    for (int k = 0; k < KERNEL_COUNT; k++) {
        kernels += called[k] > 0;
        if (!called[k]) {
            printf("%s was not called\n", table[k].name);
            wrong++;
        }
    }
    printf("%ld calls of %ld kernels, %ld wrong\n", calls, kernels, wrong);
    return wrong != 0;
}
