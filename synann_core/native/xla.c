/* XLA's view of the contraction: handlers that run the kernels inside JAX's compiled programs.

They do what contraction/native.py does for NumPy arrays: look at every argument, divide the work,
and see to the rows outside the kernels' domain. Threads are XLA's own: parts that its pool does not
come to are done by the thread that waits for them. No bit depends on how many threads there are. */

#include <float.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "xla.h"

enum {
    WORK = 1 << 18,          /* factors below which a second thread costs more than it saves */
    ROWS = 256, OUTPUTS = 512, /* to a part of the values: at most */
    COLUMNS = 128,           /* to a part of the gradients, a multiple of 64 */
    FEW = 8,                 /* rows or outputs: whole rows are read, as they lie in memory */
    MOST = 8,                /* arrays to a call */
    WRONG = -3,              /* beside NO_MEMORY and BAD_VALUE: arguments that were refused */
};

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

static int kernel(const Call *call, int index, const Array *arrays, const Number *numbers) {
    return chosen_kernel(index, call->is_double)(arrays, numbers);
}

static size_t real_size(const Call *call) {
    return call->is_double ? sizeof(double) : sizeof(float);
}

static char *at(const Call *call, const Array *array, ptrdiff_t place) {
    return (char *)array->data + place * (ptrdiff_t)real_size(call);
}

/* ---- Parts of a call on several threads ---- */

/* Lives until the last thread that was asked for has come, perhaps after the call. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    Part *part;
    Call *call;
    ptrdiff_t next, count;
    int working, references, result;
} Job;

static void work(Job *job) {
    pthread_mutex_lock(&job->lock);
    job->working++;
    while (job->next < job->count) {
        ptrdiff_t k = job->next++;
        pthread_mutex_unlock(&job->lock);
        int result = job->part(job->call, k);
        pthread_mutex_lock(&job->lock);
        job->result = result < job->result ? result : job->result;
        job->next = result < 0 ? job->count : job->next;
    }
    if (--job->working == 0) {
        pthread_cond_signal(&job->idle);
    }
    pthread_mutex_unlock(&job->lock);
}

static void release(Job *job) {
    pthread_mutex_lock(&job->lock);
    int last = --job->references == 0;
    pthread_mutex_unlock(&job->lock);
    if (last) {
        pthread_cond_destroy(&job->idle);
        pthread_mutex_destroy(&job->lock);
        free(job);
    }
}

static void task(void *data) {
    work(data);
    release(data);
}

static void destroy(const XLA_FFI_Api *api, XLA_FFI_Error *error) {
    XLA_FFI_Error_Destroy_Args args = {sizeof args, NULL, error};
    api->XLA_FFI_Error_Destroy(&args);
}

/* Threads of XLA's pool, or 1. */
static ptrdiff_t threads_for(const Call *call, ptrdiff_t rows) {
    const XLA_FFI_Api *api = call->frame->api;
    int64_t threads = 1;
    if (rows * call->m * call->n >= WORK && api->struct_size >= sizeof *api) {
        XLA_FFI_ThreadPool_NumThreads_Args args = {sizeof args, NULL, call->frame->ctx, &threads};
        XLA_FFI_Error *error = api->XLA_FFI_ThreadPool_NumThreads(&args);
        if (error) {
            destroy(api, error);
            return 1;
        }
    }
    return (ptrdiff_t)threads;
}

/* All parts: the least of their results. */
static int run(Call *call, Part *part, ptrdiff_t count, ptrdiff_t threads) {
    int result = 1;
    if (threads <= 1 || count <= 1) {
        for (ptrdiff_t k = 0; k < count && result >= 0; k++) {
            int now = part(call, k);
            result = now < result ? now : result;
        }
        return result;
    }
    Job *job = malloc(sizeof *job);
    if (!job) {
        return NO_MEMORY;
    }
    *job = (Job){.part = part, .call = call, .count = count, .references = 1, .result = 1};
    pthread_mutex_init(&job->lock, NULL);
    pthread_cond_init(&job->idle, NULL);
    const XLA_FFI_Api *api = call->frame->api;
    for (ptrdiff_t k = 1; k < threads && k < count; k++) {
        XLA_FFI_ThreadPool_Schedule_Args args = {sizeof args, NULL, call->frame->ctx, task, job};
        pthread_mutex_lock(&job->lock);
        job->references++;
        pthread_mutex_unlock(&job->lock);
        XLA_FFI_Error *error = api->XLA_FFI_ThreadPool_Schedule(&args);
        if (error) { /* there is no pool */
            destroy(api, error);
            release(job);
            break;
        }
    }
    work(job);
    pthread_mutex_lock(&job->lock);
    while (job->working > 0) {
        pthread_cond_wait(&job->idle, &job->lock);
    }
    result = job->result;
    pthread_mutex_unlock(&job->lock);
    release(job);
    return result;
}

/* ---- Arguments ---- */

/* Take in one buffer; `spec` is its part of a signature of kernels.h. */
static const char *take_buffer(Call *call, const XLA_FFI_Buffer *buffer, const char *spec,
                               ptrdiff_t *axes) {
    Array *array = &call->arrays[call->count++];
    int is_double = buffer->dtype == XLA_FFI_DataType_F64;
    if (!is_double && buffer->dtype != XLA_FFI_DataType_F32) {
        return "all arrays must be float32 or float64";
    }
    call->is_double = call->is_double < 0 ? is_double : call->is_double;
    if (is_double != call->is_double) {
        return "all arrays must have the same dtype";
    }
    if (buffer->rank != 2) {
        return "all arrays must have 2 axes";
    }
    array->data = buffer->data;
    for (int k = 0; k < 2; k++) {
        ptrdiff_t *axis = &axes[spec[1 + k] - 'a'];
        *axis = *axis < 0 ? buffer->dims[k] : *axis;
        if (*axis != buffer->dims[k]) {
            return "the arrays' shapes must fit";
        }
        array->shape[k] = *axis;
    }
    array->size = array->shape[0] * array->shape[1];
    return NULL;
}

/* Take in all arguments; without ȳ and β̄ two are fewer. Returns what is wrong with them, or NULL. */
static const char *take(Call *call, const XLA_FFI_CallFrame *frame, const char *signature, int inputs,
                        int outputs) {
    const XLA_FFI_Attrs *attrs = &frame->attrs;
    ptrdiff_t axes[26];
    memset(axes, -1, sizeof axes);
    *call = (Call){.frame = frame, .is_double = -1, .bars = frame->args.size == inputs};
    if (!(call->bars || frame->args.size == inputs - 2) || frame->rets.size != outputs) {
        return "wrong number of arrays";
    }
    if (attrs->size != 1 || attrs->types[0] != XLA_FFI_AttrType_SCALAR ||
        ((XLA_FFI_Scalar *)attrs->attrs[0])->dtype != XLA_FFI_DataType_F64) {
        return "the floor must be a float64 attribute, the only one";
    }
    call->floor = *(double *)((XLA_FFI_Scalar *)attrs->attrs[0])->value;
    int64_t input = 0, output = 0;
    for (const char *spec = signature; *spec; spec += strcspn(spec, " "), spec += *spec == ' ') {
        int written = spec[0] == 'R';
        if (spec[3] == '?' && !call->bars) {
            call->count++; /* stays NULL */
            continue;
        }
        int type = written ? frame->rets.types[output] : frame->args.types[input];
        void *buffer = written ? frame->rets.rets[output++] : frame->args.args[input++];
        const char *wrong = type == (written ? XLA_FFI_RetType_BUFFER : XLA_FFI_ArgType_BUFFER)
                                ? take_buffer(call, buffer, spec, axes)
                                : "all arguments must be arrays";
        if (wrong) {
            return wrong;
        }
    }
    call->rows = call->arrays[0].shape[0];
    call->n = call->arrays[0].shape[1];
    call->m = call->arrays[2].shape[0];
    return chosen_kernel(0, 0) ? NULL : "there is no variant for this processor";
}

static XLA_FFI_Error *make_error(const XLA_FFI_CallFrame *frame, int result, const char *message) {
    int memory = result == NO_MEMORY;
    XLA_FFI_Error_Create_Args args = {
        sizeof args, NULL, memory ? "synann: not enough memory" : message,
        memory ? XLA_FFI_Error_Code_RESOURCE_EXHAUSTED : XLA_FFI_Error_Code_INVALID_ARGUMENT};
    return frame->api->XLA_FFI_Error_Create(&args);
}

/* Answer XLA's question which version of the interface this is; 0 if that was not the question. */
static int answer(const XLA_FFI_CallFrame *frame) {
    for (XLA_FFI_Extension_Base *base = frame->extension_start; base; base = base->next) {
        if (base->type == XLA_FFI_Extension_Metadata) {
            XLA_FFI_Metadata *metadata = ((XLA_FFI_Metadata_Extension *)base)->metadata;
            metadata->api_version.major_version = XLA_FFI_API_MAJOR;
            metadata->api_version.minor_version = XLA_FFI_API_MINOR;
            metadata->traits = 0;
            return 1;
        }
    }
    return frame->stage != XLA_FFI_ExecutionStage_EXECUTE;
}

static XLA_FFI_Error *handle(const XLA_FFI_CallFrame *frame, const char *signature, int inputs,
                             int outputs, int (*compute)(Call *call)) {
    Call call;
    if (answer(frame)) {
        return NULL;
    }
    const char *wrong = take(&call, frame, signature, inputs, outputs);
    if (wrong) {
        return make_error(frame, WRONG, wrong);
    }
    if (call.rows == 0 || call.n == 0 || call.m == 0) { /* sums of nothing */
        for (int k = call.count - outputs; k < call.count; k++) {
            if (call.arrays[k].size) {
                memset(call.arrays[k].data, 0, (size_t)call.arrays[k].size * real_size(&call));
            }
        }
        return NULL;
    }
    int result = compute(&call);
    free(call.inside);
    return result < 0 ? make_error(frame, result, "synann: a size is outside its range") : NULL;
}

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
    ptrdiff_t count = look(call), threads = threads_for(call, call->rows);
    int result = count < 0 ? (int)count : 1;
    if (count > 0) { /* the rows outside too: their values do no harm, and do not stay */
        result = run(call, part_of_values, divide(call, 0, call->rows, threads), threads);
    }
    for (ptrdiff_t b = 0, end; b < call->rows && result == 0; b = end) {
        for (end = b; end < call->rows && end < b + ROWS && is_closed(call, end); end++) {
        }
        if (end == b) {
            end++;
            continue;
        }
        ptrdiff_t own = threads_for(call, end - b);
        call->b0 = b;
        call->height = end - b;
        call->width = even(call->m, own > 1 ? 64 : OUTPUTS);
        call->across = (call->m + call->width - 1) / call->width;
        int now = run(call, part_of_guarded, call->across, own);
        result = now < 0 ? now : result;
    }
    if (result >= 0 && call->flags & SOME_OUTSIDE) {
        int now = run(call, part_outside, call->rows, threads);
        result = now < 0 ? now : result;
    }
    return result;
}

XLA_FFI_Error *xla_log_product(XLA_FFI_CallFrame *frame) {
    return handle(frame, "rbn rbn? rmn rmn? Rbm Rbm", 4, 2, compute_values);
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
    ptrdiff_t threads = threads_for(call, call->rows);
    return run(call, part_of_tangents, divide(call, 0, call->rows, threads), threads);
}

XLA_FFI_Error *xla_tangent(XLA_FFI_CallFrame *frame) {
    return handle(frame, "rbn rbn? rmn rmn? rbn rmn Rbm", 6, 1, compute_tangents);
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
    ptrdiff_t count = look(call), threads = threads_for(call, call->rows);
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
        result = run(call, part_of_gradients, (call->n + call->width - 1) / call->width, threads);
    }
    for (int k = 0; k < 3 && copies; k++) {
        free(call->neutral[k].data);
    }
    return result;
}

XLA_FFI_Error *xla_gradients(XLA_FFI_CallFrame *frame) {
    return handle(frame, "rbn rbn? rmn rmn? rbm Rbn Rmn", 5, 2, compute_gradients);
}
