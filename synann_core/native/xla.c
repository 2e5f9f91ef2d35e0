/* XLA's view of the contraction: handlers that run the kernels inside JAX's compiled programs.

They do what contraction/native.py does for NumPy arrays: look at every argument, divide the work,
and see to the rows outside the kernels' domain. xla_call.c has the arguments and the threads. */

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "xla_call.h"

enum {
    ROWS = 256, OUTPUTS = 512, /* to a part of the values: at most */
    COLUMNS = 128,             /* to a part of the gradients, a multiple of 64 */
    FEW = 8,                   /* rows or outputs: whole rows are read, as they lie in memory */
};

/* ---- The domain ---- */

/* Find the rows outside; how many are inside, or an error. */
static ptrdiff_t look(Call *call) {
    call->inside = malloc((size_t)call->rows);
    if (!call->inside) {
        return NO_MEMORY;
    }
    Array inside = {call->inside, {call->rows}, call->rows};
    const Array *own = call->arrays, arrays[5] = {own[0], own[1], own[2], own[3], inside};
    call->flags = kernel(call, domain_index, arrays, NULL);
    ptrdiff_t count = 0;
    for (ptrdiff_t b = 0; b < call->rows; b++) {
        count += call->inside[b];
    }
    return call->flags < 0 ? call->flags : count;
}

/* ---- Values ---- */

/* Size of the parts, a multiple of 32, when `size` is divided into parts of at most `most`. */
static ptrdiff_t even(ptrdiff_t size, ptrdiff_t most) {
    ptrdiff_t parts = (size + most - 1) / most;
    return ((size + parts - 1) / parts + 31) / 32 * 32;
}

/* Divide the values of rows b0 to b1, if that is sensible into a part for each thread; how many. */
static ptrdiff_t divide(Call *call, ptrdiff_t b0, ptrdiff_t rows, ptrdiff_t threads) {
    ptrdiff_t height = ROWS, width = OUTPUTS, m = call->m;
    while (((rows + height - 1) / height) * ((m + width - 1) / width) < threads &&
           (height > 32 || width > 64)) {
        if (height > 32) {
            height /= 2;
        } else {
            width /= 2;
        }
    }
    call->b0 = b0;
    call->height = even(rows, height);
    call->width = even(m, width);
    call->across = (m + call->width - 1) / call->width;
    return (rows + call->height - 1) / call->height * call->across;
}

/* b0, b1, i0, i1 of a part that ends before row `end`. */
static void corners(const Call *call, ptrdiff_t k, ptrdiff_t end, Number *numbers) {
    ptrdiff_t b = call->b0 + k / call->across * call->height, i = k % call->across * call->width;
    numbers[0].integer = b;
    numbers[1].integer = b + call->height < end ? b + call->height : end;
    numbers[2].integer = i;
    numbers[3].integer = i + call->width < call->m ? i + call->width : call->m;
}

static int careful_products(const Call *call) {
    return (call->flags & CAREFUL_PRODUCTS) != 0;
}

/* Both values, which are the same where no factor is closed. */
static int part_of_values(Call *call, ptrdiff_t k) {
    Number numbers[6];
    corners(call, k, call->rows, numbers);
    numbers[4].integer = careful_products(call);
    numbers[5].real = 0;
    int result = kernel(call, log_product_index, call->arrays, numbers);
    ptrdiff_t i = numbers[2].integer, width = numbers[3].integer - i;
    for (ptrdiff_t b = numbers[0].integer; b < numbers[1].integer; b++) {
        ptrdiff_t place = b * call->m + i;
        memcpy(at(call, &call->arrays[5], place), at(call, &call->arrays[4], place),
               (size_t)width * real_size(call));
    }
    return result;
}

static double value_floor(const Call *call) {
    return !call->bars ? call->floor : call->is_double ? DBL_MIN : FLT_MIN;
}

/* The guarded values alone, of the run of rows that `divide` was told. */
static int part_of_guarded(Call *call, ptrdiff_t k) {
    const Array *own = call->arrays, arrays[5] = {own[0], own[1], own[2], own[3], own[5]};
    Number numbers[6];
    corners(call, k, call->b0 + call->height, numbers);
    numbers[4].integer = careful_products(call);
    numbers[5].real = value_floor(call);
    return kernel(call, log_product_index, arrays, numbers);
}

static int part_outside(Call *call, ptrdiff_t k) {
    const Array *own = call->arrays;
    const Array arrays[7] = {own[0], own[1], own[2], own[3], {call->inside, {call->rows}, call->rows},
                             own[4], own[5]};
    const Number numbers[3] = {{.integer = k}, {.integer = k + 1}, {.real = value_floor(call)}};
    return kernel(call, log_product_outside_index, arrays, numbers);
}

static int is_closed(const Call *call, ptrdiff_t b) {
    const char *row = at(call, &call->arrays[4], b * call->m);
    int closed = 0;
    for (ptrdiff_t i = 0; i < call->m && call->inside[b]; i++) {
        closed |= call->is_double ? ((const double *)(const void *)row)[i] < -DBL_MAX
                                  : ((const float *)(const void *)row)[i] < -FLT_MAX;
    }
    return closed;
}

static int compute_values(Call *call) {
    ptrdiff_t count = look(call), threads = xla_threads(call, call->rows);
    int result = count < 0 ? (int)count : 1;
    if (count > 0) { /* the rows outside too: their values do no harm, and do not stay */
        result = xla_run(call, part_of_values, divide(call, 0, call->rows, threads), threads);
    }
    for (ptrdiff_t b = 0, end; b < call->rows && result == 0; b = end) {
        for (end = b; end < call->rows && end < b + ROWS && is_closed(call, end); end++) {
        }
        if (end == b) {
            end++;
            continue;
        }
        ptrdiff_t own = xla_threads(call, end - b);
        call->b0 = b;
        call->height = end - b;
        call->width = even(call->m, own > 1 ? 64 : OUTPUTS);
        call->across = (call->m + call->width - 1) / call->width;
        int now = xla_run(call, part_of_guarded, call->across, own);
        result = now < 0 ? now : result;
    }
    if (result >= 0 && call->flags & SOME_OUTSIDE) {
        int now = xla_run(call, part_outside, call->rows, threads);
        result = now < 0 ? now : result;
    }
    return result;
}

XLA_FFI_Error *xla_log_product(XLA_FFI_CallFrame *frame) {
    return xla_handle(frame, "rbn rbn? rmn rmn? Rbm Rbm", 4, 2, compute_values);
}

/* ---- Tangents, which the kernel computes for all rows ---- */

static int part_of_tangents(Call *call, ptrdiff_t k) {
    const Array *own = call->arrays;
    const Array arrays[7] = {own[0], own[1], own[4], own[2], own[3], own[5], own[6]};
    Number numbers[5];
    corners(call, k, call->rows, numbers);
    numbers[4].real = call->floor;
    return kernel(call, tangent_index, arrays, numbers);
}

static int compute_tangents(Call *call) {
    ptrdiff_t threads = xla_threads(call, call->rows);
    return xla_run(call, part_of_tangents, divide(call, 0, call->rows, threads), threads);
}

XLA_FFI_Error *xla_tangent(XLA_FFI_CallFrame *frame) {
    return xla_handle(frame, "rbn rbn? rmn rmn? rbn rmn Rbm", 6, 1, compute_tangents);
}

/* ---- Gradients ---- */

/* A strip of inputs: rows inside as the kernel does it, then those outside. */
static int part_of_gradients(Call *call, ptrdiff_t k) {
    const Array *own = call->arrays, *neutral = call->neutral;
    ptrdiff_t j0 = k * call->width, end = j0 + call->width, j1 = end < call->n ? end : call->n;
    int result = 0;
    if (neutral[0].data) {
        const Array arrays[7] = {neutral[0], neutral[1], own[2], own[3], neutral[2], own[5], own[6]};
        const Number numbers[4] = {{.integer = j0},
                                   {.integer = j1},
                                   {.integer = (call->flags & CAREFUL_GRADIENTS) != 0},
                                   {.real = call->floor}};
        result = kernel(call, gradients_index, arrays, numbers);
    }
    if (result >= 0 && call->flags & SOME_OUTSIDE) {
        const Array arrays[8] = {own[0], own[1], own[2], own[3],
                                 {call->inside, {call->rows}, call->rows}, own[4], own[5], own[6]};
        const Number numbers[3] = {{.integer = j0}, {.integer = j1}, {.real = call->floor}};
        result = kernel(call, gradients_outside_index, arrays, numbers);
    }
    return result;
}

/* Copy an array with a number in the rows outside; 0 if there is no memory. */
static int neutralise(Call *call, const Array *from, Array *to, double number) {
    ptrdiff_t size = from->shape[1];
    *to = *from;
    to->data = malloc((size_t)from->size * real_size(call));
    for (ptrdiff_t b = 0; b < call->rows && to->data; b++) {
        memcpy(at(call, to, b * size), at(call, from, b * size), (size_t)size * real_size(call));
        for (ptrdiff_t j = 0; j < size && !call->inside[b]; j++) {
            if (call->is_double) {
                ((double *)to->data)[b * size + j] = number;
            } else {
                ((float *)to->data)[b * size + j] = (float)number;
            }
        }
    }
    return to->data != NULL;
}

static int compute_gradients(Call *call) {
    ptrdiff_t count = look(call), threads = xla_threads(call, call->rows);
    const Array *own = call->arrays;
    int copies = count > 0 && call->flags & SOME_OUTSIDE, result = count < 0 ? (int)count : 1;
    if (copies) { /* factors of 1 with no upstream gradient: nothing is added to β's */
        if (!neutralise(call, &own[0], &call->neutral[0], 0) ||
            (call->bars && !neutralise(call, &own[1], &call->neutral[1], 1)) ||
            !neutralise(call, &own[4], &call->neutral[2], 0)) {
            result = NO_MEMORY;
        }
    } else if (count > 0) {
        call->neutral[0] = own[0];
        call->neutral[1] = own[1];
        call->neutral[2] = own[4];
    } else if (count == 0) {
        memset(own[6].data, 0, (size_t)own[6].size * real_size(call));
    }
    if (result >= 0) {
        int few = call->rows < FEW || call->m < FEW;
        call->width = few ? (call->n + 64 * threads - 1) / (64 * threads) * 64 : COLUMNS;
        result = xla_run(call, part_of_gradients, (call->n + call->width - 1) / call->width, threads);
    }
    for (int k = 0; k < 3 && copies; k++) {
        free(call->neutral[k].data);
    }
    return result;
}

XLA_FFI_Error *xla_gradients(XLA_FFI_CallFrame *frame) {
    return xla_handle(frame, "rbn rbn? rmn rmn? rbm Rbn Rmn", 5, 2, compute_gradients);
}
