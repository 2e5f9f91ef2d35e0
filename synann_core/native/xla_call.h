/* One call of an XLA handler: its arguments, and its parts on XLA's threads. */

#ifndef SYNANN_XLA_CALL_H
#define SYNANN_XLA_CALL_H

#include "kernels.h"
#include "xla.h"

enum { MOST = 8 }; /* arrays to a call */

/* A call while it runs. */
typedef struct {
    const XLA_FFI_CallFrame *frame;
    const char *message; /* why the arguments were refused */
    Array arrays[MOST];  /* y, ȳ, β, β̄, then what the call is about */
    int count, bars, is_double, flags;
    ptrdiff_t rows, n, m;
    double floor;          /* that gradients divide by at least */
    unsigned char *inside; /* for each row, whether it is in the kernels' domain */
    ptrdiff_t b0, height, width, across; /* parts of the values, and how many there are in a row */
    Array neutral[3];      /* y, ȳ and t with numbers instead of rows outside */
} Call;

typedef int Part(Call *call, ptrdiff_t k); /* 1, 0 or an error */

static inline int kernel(const Call *call, int index, const Array *arrays, const Number *numbers) {
    return chosen_kernel(index, call->is_double)(arrays, numbers);
}

static inline size_t real_size(const Call *call) {
    return call->is_double ? sizeof(double) : sizeof(float);
}

static inline char *at(const Call *call, const Array *array, ptrdiff_t place) {
    return (char *)array->data + place * (ptrdiff_t)real_size(call);
}

/* Threads of XLA's pool for so many rows, or 1. */
ptrdiff_t xla_threads(const Call *call, ptrdiff_t rows);

/* Run parts 0 to `count` − 1: the least of their results. */
int xla_run(Call *call, Part *part, ptrdiff_t count, ptrdiff_t threads);

/* Take in the arguments, as a signature of kernels.h says, and compute. */
XLA_FFI_Error *xla_handle(const XLA_FFI_CallFrame *frame, const char *signature, int inputs,
                          int outputs, int (*compute)(Call *call));

#endif
