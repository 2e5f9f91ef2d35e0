/* XLA's handlers under the thread and address sanitizers: a driver that stands for XLA.

Its pool starts a thread for every task. The handlers run from several threads at once, on rows
inside and outside the domain and with closed factors, and the bits must be those of one thread. */

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "xla.h"

#define DECLARE_BOTH(name) Kernel JOIN(name, LEVEL, float), JOIN(name, LEVEL, double);
#define USED(K) \
    K(log_product) K(gradients) K(tangent) K(domain) K(log_product_outside) K(gradients_outside)
USED(DECLARE_BOTH)

Kernel *chosen_kernel(int index, int is_double) {
#define CHOOSE(name) \
    if (index == name##_index) return is_double ? JOIN(name, LEVEL, double) : JOIN(name, LEVEL, float);
    USED(CHOOSE)
    return is_double ? JOIN(domain, LEVEL, double) : JOIN(domain, LEVEL, float);
}

struct XLA_FFI_ExecutionContext {
    int threads, fails;
    pthread_t started[64];
    int count;
};

struct XLA_FFI_Error {
    int code;
};

static XLA_FFI_Error *create(XLA_FFI_Error_Create_Args *args) {
    XLA_FFI_Error *error = malloc(sizeof *error);
    error->code = args->errc;
    return error;
}

static void destroy(XLA_FFI_Error_Destroy_Args *args) {
    free(args->error);
}

typedef struct {
    XLA_FFI_Task *task;
    void *data;
} Task;

static void *start(void *given) {
    Task own = *(Task *)given;
    free(given);
    own.task(own.data);
    return NULL;
}

static XLA_FFI_Error *schedule(XLA_FFI_ThreadPool_Schedule_Args *args) {
    if (args->ctx->fails) {
        XLA_FFI_Error_Create_Args error = {sizeof error, NULL, "no pool", 13};
        return create(&error);
    }
    Task *task = malloc(sizeof *task);
    *task = (Task){args->task, args->data};
    pthread_create(&args->ctx->started[args->ctx->count++], NULL, start, task);
    return NULL;
}

static XLA_FFI_Error *threads(XLA_FFI_ThreadPool_NumThreads_Args *args) {
    *args->num_threads = args->ctx->threads;
    return NULL;
}

enum { ROWS = 70, INPUTS = 300, OUTPUTS = 40, MOST = INPUTS * ROWS };

typedef struct {
    XLA_FFI_Handler *handler;
    int is_double, bars, threads, fails, failed;
    const double (*given)[MOST];
    double found[2][MOST];
} Run;

static void *run(void *data) {
    Run *own = data;
    int others = own->handler == xla_log_product ? 0 : own->handler == xla_gradients ? 1 : 2;
    /* y, ȳ, β, β̄, then t, or dy and dβ, of the arrays given; and the results */
    int inputs[6] = {0, 1, 2, 3, others == 1 ? 4 : 5, 6}, count = 0;
    static const int64_t sizes[7][2] = {{ROWS, INPUTS},    {ROWS, INPUTS}, {OUTPUTS, INPUTS},
                                        {OUTPUTS, INPUTS}, {ROWS, OUTPUTS}, {ROWS, INPUTS},
                                        {OUTPUTS, INPUTS}};
    int results = others == 2 ? 1 : 2, of_results[2] = {4, 4};
    if (others == 1) {
        of_results[0] = 0;
        of_results[1] = 2;
    }
    XLA_FFI_Buffer buffers[8];
    void *args[6], *rets[2];
    int types[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    size_t size = own->is_double ? 8 : 4;
    for (int k = 0; k < 4 + others; k++) {
        if (!own->bars && (k == 1 || k == 3)) {
            continue;
        }
        const int64_t *dims = sizes[inputs[k]];
        char *copy = malloc((size_t)(dims[0] * dims[1]) * size);
        for (int64_t at = 0; at < dims[0] * dims[1]; at++) {
            double number = own->given[inputs[k]][at];
            if (own->is_double) {
                ((double *)copy)[at] = number;
            } else {
                ((float *)copy)[at] = (float)number;
            }
        }
        buffers[count] = (XLA_FFI_Buffer){.dtype = own->is_double ? 12 : 11, .data = copy, .rank = 2,
                                          .dims = (int64_t *)dims};
        args[count] = &buffers[count];
        count++;
    }
    for (int k = 0; k < results; k++) {
        const int64_t *dims = sizes[of_results[k]];
        buffers[count + k] = buffers[0];
        buffers[count + k].dims = (int64_t *)dims;
        buffers[count + k].data = calloc((size_t)(dims[0] * dims[1]), size);
        rets[k] = &buffers[count + k];
    }
    double floor = own->bars ? ldexp(1, own->is_double ? -970 : -103) : 1e-17;
    XLA_FFI_Scalar scalar = {12, &floor};
    void *attrs[1] = {&scalar};
    int kind = 3;
    XLA_FFI_Api api = {.struct_size = sizeof api,
                       .XLA_FFI_Error_Create = create,
                       .XLA_FFI_Error_Destroy = destroy,
                       .XLA_FFI_ThreadPool_Schedule = schedule,
                       .XLA_FFI_ThreadPool_NumThreads = threads};
    XLA_FFI_ExecutionContext context = {.threads = own->threads, .fails = own->fails};
    XLA_FFI_CallFrame frame = {.api = &api,
                               .ctx = &context,
                               .stage = 3,
                               .args = {.size = count, .types = types, .args = args},
                               .rets = {.size = results, .types = types, .rets = rets},
                               .attrs = {.size = 1, .types = &kind, .attrs = attrs}};
    XLA_FFI_Error *error = own->handler(&frame);
    own->failed = error != NULL;
    free(error);
    for (int k = 0; k < context.count; k++) { /* as late as they like */
        pthread_join(context.started[k], NULL);
    }
    memset(own->found, 0, sizeof own->found);
    for (int k = 0; k < results; k++) {
        const int64_t *dims = sizes[of_results[k]];
        memcpy(own->found[k], buffers[count + k].data, (size_t)(dims[0] * dims[1]) * size);
    }
    for (int k = 0; k < count + results; k++) {
        free(buffers[k].data);
    }
    return NULL;
}

static double given[7][MOST];
static Run runs[6];

int main(void) {
    static XLA_FFI_Handler *const handlers[] = {xla_log_product, xla_gradients, xla_tangent};
    int wrong = 0, done = 0;
    for (int kind = 0; kind < 4; kind++) { /* inside, closed, outside, and all of β outside */
        srand(1);
        for (int k = 0; k < 7; k++) {
            for (int at = 0; at < MOST; at++) {
                given[k][at] = (rand() % 1000) / 1001.0;
                given[k][at] = k == 1 || k == 3 ? 1 - given[k - 1][at] : given[k][at];
            }
        }
        for (int b = 0; b < ROWS && kind; b += 1 + b % 3) {
            given[0][b * INPUTS + 7] = kind == 1 ? 1 : kind == 2 ? 3 : NAN;
            given[1][b * INPUTS + 7] = kind == 1 ? 0 : kind == 2 ? -2 : NAN;
        }
        given[2][7] = kind == 1 ? 1 : kind == 3 ? -1 : 0.5;
        given[3][7] = kind == 1 ? 0 : kind == 3 ? 2 : 0.5;
        for (int variant = 0; variant < 12; variant++) {
            pthread_t started[6];
            for (int k = 0; k < 6; k++) { /* on one thread, on four, without a pool, and again */
                runs[k] = (Run){.handler = handlers[variant % 3],
                                .is_double = variant / 3 % 2,
                                .bars = variant / 6,
                                .threads = k ? 4 : 1,
                                .fails = k == 2,
                                .given = given};
                pthread_create(&started[k], NULL, run, &runs[k]);
            }
            for (int k = 0; k < 6; k++) {
                pthread_join(started[k], NULL);
                wrong += runs[k].failed;
                wrong += memcmp(runs[k].found, runs[0].found, sizeof runs[0].found) != 0;
                done++;
            }
        }
    }
    printf("%d runs, %d wrong\n", done, wrong);
    return wrong != 0;
}
