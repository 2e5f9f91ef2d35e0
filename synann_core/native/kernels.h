/* The kernels of all engines, and what they are given.

Every source of an engine is compiled once for each level of processors and each type of real
numbers, with LEVEL (v3, v4, aarch64), REAL (float, double) and REAL_IS_FLOAT or REAL_IS_DOUBLE
defined. It defines its kernels as

    KERNEL(name)(const Array *arrays, const Number *numbers) { ... return 0; }

and this table names them, with the arguments that Python gives them: arrays first, then numbers.
An array is a letter for what it holds, a letter for each of its axes, and a question mark if it may
be None:

    r, R   real numbers, read or written: float32 or float64, all of one call the same
    u, U   uint32
    l, L   int64
    b, B   bool or uint8

Axes of the same letter have the same size in all arrays of a call. `#` is an integer and `%` a real
number. The module checks all this; a kernel must check the rest, integers above all, and return a
message (see `refuse`) before it touches memory that its arguments do not span. The numbers in arrays
of indices are the one exception: whoever makes them checks them once.

A kernel runs without Python's lock, and may not call Python. Its result, if it is not negative, is
what Python sees. Below 0 are errors. */

#ifndef SYNANN_KERNELS_H
#define SYNANN_KERNELS_H

#include <stddef.h>

typedef struct {
    void *data;         /* NULL stands for None */
    ptrdiff_t shape[4]; /* C-contiguous */
    ptrdiff_t size;
} Array;

typedef union {
    ptrdiff_t integer;
    double real;
} Number;

enum { NO_MEMORY = -1, BAD_VALUE = -2 }; /* results that are MemoryError and ValueError */

/* What `domain` says: whether rows are outside it, and of those inside whether a factor may be 0 or,
with ȳ and β̄, less than eps/2, and as small as the smallest normal number. */
enum { SOME_OUTSIDE = 1, CAREFUL_GRADIENTS = 2, CAREFUL_PRODUCTS = 4 };

#define KERNELS(K) \
    K(log_product, "rbn rbn? rmn rmn? Rbm # # # # # %") \
    K(log_product_open, "rbn rmn Rbm") \
    K(gradients, "rbn rbn? rmn rmn? rbm Rbn Rmn # # # %") \
    K(gradients_open, "rbn rmn rbm Rbn Rmn") \
    K(tangent, "rbn rbn? rbn rmn rmn? rmn Rbm # # # # %") \
    K(domain, "rbn rbn? rmn rmn? Bb") \
    K(log_product_outside, "rbn rbn? rmn rmn? bb Rbm Rbm # # %") \
    K(gradients_outside, "rbn rbn? rmn rmn? bb rbm Rbn Rmn # # %") \
    K(strengths, "rmn bmn? Rmn") \
    K(transmissions, "rbm rm? Rbm") \
    K(layer_open, "rmn bmn? rm? rbn rbm? Rmn Rbm Rbm") \
    K(layer_gradients_open, "rmn rbn rbm? rbm rbm Rbm Rbn Rmn Rm") \
    K(graph_check, "lp ue lp uk #") \
    K(graph_forward, "Rs rn rk lp ue lp uk # # #") \
    K(graph_backward, "Rs rn rk lp ue lp uk Rn Rk # # #") \
    K(graph_tangents, "Rs rn rn rk rk lp ue lp uk # #") \
    K(graph_move, "rk uk Rm # #") \
    K(graph_surprisal_forward, "Rs Rd rn rk rk lp ue lp uk # #") \
    K(graph_surprisal_backward, "rd Rs rk rk lp ue lp uk Rn Rk # # # %") \
    K(graph_surprisal_tangents, "rd Rs rn rk rk rk lp ue lp uk # # %") \
    K(lif_forward, \
      "rcbn rbn rbn? rbn rbn? rn rn rn? rnn? Rtbn Rtbn Rbn Rbn? Rbn Rbn? " \
      "% % % % % % % % % # # # # # #") \
    K(lif_backward, \
      "rcbn rbn rbn? rbn rbn? rn rn rn? rnn? rtbn rdbn? rebn? rbn? rbn? rbn? rbn? rnn? " \
      "Rcbn Rbn Rbn? Rbn Rbn? Rtbn? Rpan % % % % % % % % % # # # % % # # # # # # #") \
    K(step_forward, "rtn rn Rtn") \
    K(bsa, "Rtn rk Rtn % # #") \
    K(noisy_or_plan, "lp lk rn Lb Re #") \
    K(noisy_or_size, "lop lk Re #") \
    K(noisy_or_build, "lop lk rk rk row Rs # #") \
    K(noisy_or_unwind, "lop lk rk rk row rs Rt Row #") \
    K(noisy_or_move, "rs Rs lb rs? Re")

typedef int Kernel(const Array *arrays, const Number *numbers);

#define KERNEL_INDEX(name, signature) name##_index,
enum { KERNELS(KERNEL_INDEX) KERNEL_COUNT };

/* The variant of a kernel that was chosen for this processor, or NULL. */
Kernel *chosen_kernel(int index, int is_double);

#define JOIN_(a, b, c) a##_##b##_##c
#define JOIN(a, b, c) JOIN_(a, b, c)

#ifdef LEVEL
#define KERNEL(name) int JOIN(name, LEVEL, REAL)
#define DECLARE(name, arguments) Kernel JOIN(name, LEVEL, REAL);
KERNELS(DECLARE)
#undef DECLARE
#endif

#endif
