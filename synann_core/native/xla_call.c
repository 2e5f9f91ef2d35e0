/* Calls of XLA's handlers: arguments taken in and checked, and their parts on XLA's own threads.

Parts that the pool does not come to are done by the thread that waits for them. No bit depends on how
many threads there are. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "xla_call.h"

enum {
    WORK = 1 << 18, /* factors below which a second thread costs more than it saves */
    WRONG = -3,     /* beside NO_MEMORY and BAD_VALUE: arguments that were refused */
};

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

ptrdiff_t xla_threads(const Call *call, ptrdiff_t rows) {
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

int xla_run(Call *call, Part *part, ptrdiff_t count, ptrdiff_t threads) {
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

XLA_FFI_Error *xla_handle(const XLA_FFI_CallFrame *frame, const char *signature, int inputs,
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
