/* Python's view of the kernels: a module of the limited API.

It looks at every argument before a kernel runs, so that a kernel never reads outside the arrays that
it was given, and chooses the variant that the processor can run. kernels.h says how an engine adds
its own. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "xla.h"

enum { MOST = 48, AXES = 4 }; /* arguments to a call, axes of an array */

#if defined(__x86_64__) && defined(ONE_LEVEL) /* for tests */
#define LEVELS(L) L(v3, "x86-64-v3")
#elif defined(__x86_64__)
#define LEVELS(L) L(v3, "x86-64-v3") L(v4, "x86-64-v4")
#elif defined(__aarch64__)
#define LEVELS(L) L(aarch64, "aarch64")
#else
#error "there are kernels for x86-64 and aarch64 only"
#endif

#define DECLARE_BOTH(name, level) Kernel name##_##level##_float, name##_##level##_double;
#define DECLARE_v3(name, arguments) DECLARE_BOTH(name, v3)
#define DECLARE_v4(name, arguments) DECLARE_BOTH(name, v4)
#define DECLARE_aarch64(name, arguments) DECLARE_BOTH(name, aarch64)
#define DECLARE(level, title) KERNELS(DECLARE_##level)
LEVELS(DECLARE)

/* The kernels of a level, in pairs of float and double. */
#define BOTH(name, level) {name##_##level##_float, name##_##level##_double},
#define BOTH_v3(name, arguments) BOTH(name, v3)
#define BOTH_v4(name, arguments) BOTH(name, v4)
#define BOTH_aarch64(name, arguments) BOTH(name, aarch64)
#define TABLE(level, title) static Kernel *const level##_table[][2] = {KERNELS(BOTH_##level)};
LEVELS(TABLE)

typedef struct {
    const char *title;
    Kernel *const (*table)[2];
} Level;
#define ROW(level, title) {title, level##_table},
static const Level levels[] = {LEVELS(ROW)};
enum { LEVEL_COUNT = sizeof levels / sizeof levels[0] };

static const Level *chosen; /* NULL where the processor is older than all levels */

Kernel *chosen_kernel(int index, int is_double) {
    return chosen ? chosen->table[index][is_double] : NULL;
}

static int supported(const Level *level) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
          __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))) {
        return 0;
    }
    return level == levels ||
           (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl"));
#else
    return level == levels;
#endif
}

/* What a buffer holds, as the letter of kernels.h, or 0; real numbers are 'f' or 'd'. */
static char content(const Py_buffer *view) {
    const char *format = view->format ? view->format : "B";
    if (format[0] == '@' || format[0] == '=' || (format[0] == '<' && PY_LITTLE_ENDIAN)) {
        format++;
    }
    if (format[0] == 0 || format[1] != 0) {
        return 0;
    }
    switch (format[0]) {
    case 'f': return view->itemsize == 4 ? 'f' : 0;
    case 'd': return view->itemsize == 8 ? 'd' : 0;
    case 'I': case 'L': return view->itemsize == 4 ? 'u' : 0;
    case 'l': case 'q': case 'i': return view->itemsize == 8 ? 'l' : 0;
    case '?': case 'B': return view->itemsize == 1 ? 'b' : 0;
    default: return 0;
    }
}

static const char *meaning(char kind) {
    switch (kind) {
    case 'r': case 'R': return "float32 or float64, the same in all";
    case 'u': case 'U': return "uint32";
    case 'l': case 'L': return "int64";
    default: return "bool or uint8";
    }
}

/* The arguments of one call while they are taken in. */
typedef struct {
    const char *name;
    Py_buffer views[MOST];
    Array arrays[MOST];
    Number numbers[MOST];
    ptrdiff_t axes[26]; /* −1 until an array says how long the axis is */
    int view_count, array_count, number_count;
    char real; /* 'f' or 'd', or 0 */
} Call;

/* Take in one array; `spec` is its part of the signature. */
static int take_array(Call *call, PyObject *object, const char *spec, int length) {
    int at = call->array_count++, optional = spec[length - 1] == '?', ndim = length - 1 - optional;
    Array *array = &call->arrays[at];
    if (object == Py_None && optional) {
        *array = (Array){0};
        return 1;
    }
    int written = spec[0] < 'a';
    Py_buffer *view = &call->views[call->view_count];
    if (PyObject_GetBuffer(object, view, written ? PyBUF_CONTIG | PyBUF_FORMAT
                                                 : PyBUF_CONTIG_RO | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%s: argument %d must be %s C-contiguous array. Received: %R",
                     call->name, at, written ? "a writable" : "a", (PyObject *)Py_TYPE(object));
        return 0;
    }
    call->view_count++;
    char kind = content(view), expected = (char)(spec[0] | 0x20);
    if (expected == 'r' && (kind == 'f' || kind == 'd') && (!call->real || call->real == kind)) {
        call->real = kind;
    } else if (kind != expected) {
        PyErr_Format(PyExc_TypeError, "%s: argument %d must hold %s. Received: format '%s'",
                     call->name, at, meaning(spec[0]), view->format ? view->format : "B");
        return 0;
    }
    if (view->ndim != ndim || (uintptr_t)view->buf % (uintptr_t)view->itemsize) {
        PyErr_Format(PyExc_ValueError,
                     "%s: argument %d must have %d axes and be aligned. Received: %d axes",
                     call->name, at, ndim, view->ndim);
        return 0;
    }
    array->data = view->buf;
    array->size = 1;
    for (int k = 0; k < ndim; k++) {
        ptrdiff_t *axis = &call->axes[spec[1 + k] - 'a'], size = view->shape[k];
        if (*axis >= 0 && *axis != size) {
            PyErr_Format(PyExc_ValueError, "%s: axis %d of argument %d must be %zd long. Received: %zd",
                         call->name, k, at, *axis, size);
            return 0;
        }
        *axis = array->shape[k] = size;
        array->size *= size;
    }
    return 1;
}

static int take_number(Call *call, PyObject *object, char kind) {
    Number *number = &call->numbers[call->number_count++];
    if (kind == '#') {
        number->integer = PyLong_AsSsize_t(object);
        return !(number->integer == -1 && PyErr_Occurred());
    }
    number->real = PyFloat_AsDouble(object);
    return !(number->real == -1.0 && PyErr_Occurred());
}

/* Take in all arguments as the signature says; 0 with an exception set if one does not fit. */
static int take(Call *call, const char *signature, PyObject *const *args, Py_ssize_t count) {
    Py_ssize_t k = 0;
    for (const char *spec = signature; *spec; k++) {
        int length = (int)strcspn(spec, " ");
        if (k < count) {
            int fits = spec[0] == '#' || spec[0] == '%' ? take_number(call, args[k], spec[0])
                                                        : take_array(call, args[k], spec, length);
            if (!fits) {
                return 0;
            }
        }
        spec += length + (spec[length] == ' ');
    }
    if (k != count) {
        PyErr_Format(PyExc_TypeError, "%s: expected %zd arguments. Received: %zd", call->name, k,
                     count);
        return 0;
    }
    return 1;
}

static PyObject *run(int index, const char *name, const char *signature, PyObject *const *args,
                     Py_ssize_t count) {
    Call call;
    call.name = name;
    call.view_count = call.array_count = call.number_count = 0;
    call.real = 0;
    memset(call.axes, -1, sizeof call.axes);
    int result = 0, fits = 0;
    if (chosen == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "there is no variant for this processor");
    } else {
        fits = take(&call, signature, args, count);
    }
    if (fits) {
        Kernel *kernel = chosen_kernel(index, call.real == 'd');
        Py_BEGIN_ALLOW_THREADS
        result = kernel(call.arrays, call.numbers);
        Py_END_ALLOW_THREADS
    }
    for (int k = 0; k < call.view_count; k++) {
        PyBuffer_Release(&call.views[k]);
    }
    if (!fits) {
        return NULL;
    }
    if (result == NO_MEMORY) {
        return PyErr_NoMemory();
    }
    if (result < 0) {
        PyErr_Format(PyExc_ValueError, "%s: a number or a size is outside its range", name);
        return NULL;
    }
    return PyLong_FromLong(result);
}

#define ENTRY(name, signature)                                                                  \
    static PyObject *call_##name(PyObject *self, PyObject *const *args, Py_ssize_t count) {      \
        (void)self;                                                                              \
        return run(name##_index, #name, signature, args, count);                                 \
    }
KERNELS(ENTRY)

static PyObject *use(PyObject *self, PyObject *title) {
    (void)self;
    for (int k = 0; k < LEVEL_COUNT; k++) {
        PyObject *own = PyUnicode_FromString(levels[k].title);
        int same = own && PyUnicode_Check(title) && PyUnicode_Compare(own, title) == 0;
        Py_XDECREF(own);
        if (same && supported(&levels[k])) {
            chosen = &levels[k];
            Py_RETURN_NONE;
        }
    }
    PyErr_Format(PyExc_ValueError, "this processor has no variant %R", title);
    return NULL;
}

/* Of the environment as it is now: Python takes microseconds to look there. */
static PyObject *off(PyObject *self, PyObject *nothing) {
    (void)self;
    (void)nothing;
    const char *value = getenv("SYNANN_KERNELS");
    if (!value || !*value) {
        Py_RETURN_FALSE;
    }
    if (!strcmp(value, "off")) {
        Py_RETURN_TRUE;
    }
    PyErr_Format(PyExc_ValueError, "`SYNANN_KERNELS` must be off, or not set. Received: '%.100s'",
                 value);
    return NULL;
}

#define METHOD(name, signature) \
    {#name, (PyCFunction)(void (*)(void))call_##name, METH_FASTCALL, signature},
static PyMethodDef methods[] = {
    KERNELS(METHOD)
    {"off", off, METH_NOARGS, "Whether SYNANN_KERNELS is off; ValueError for another word."},
    {"use", use, METH_O, "Run the variant of this name, one of `variants`; for tests."},
    {NULL, NULL, 0, NULL},
};

/* `variants`: the names of what this processor can run, the best one last. */
static int add_variants(PyObject *module) {
    PyObject *names = PyList_New(0);
    for (int k = 0; names && k < LEVEL_COUNT; k++) {
        if (supported(&levels[k])) {
            chosen = &levels[k];
            PyObject *name = PyUnicode_FromString(levels[k].title);
            if (!name || PyList_Append(names, name) < 0) {
                Py_CLEAR(names);
            }
            Py_XDECREF(name);
        }
    }
    PyObject *variants = names ? PyList_AsTuple(names) : NULL;
    Py_XDECREF(names);
    int result = variants ? PyModule_AddObjectRef(module, "variants", variants) : -1;
    Py_XDECREF(variants);
    return result;
}

/* The handlers of xla.c, by the names that `jax.ffi.register_ffi_target` is to give them. */
static int add_handlers(PyObject *module) {
    static const struct {
        const char *name;
        XLA_FFI_Handler *handler;
    } handlers[] = {{"xla_log_product", xla_log_product},
                    {"xla_gradients", xla_gradients},
                    {"xla_tangent", xla_tangent}};
    int result = 0;
    for (size_t k = 0; k < sizeof handlers / sizeof *handlers && result == 0; k++) {
        union { /* ISO C has no cast from a function to an object */
            XLA_FFI_Handler *handler;
            void *pointer;
        } either = {handlers[k].handler};
        PyObject *capsule = PyCapsule_New(either.pointer, "xla._CUSTOM_CALL_TARGET", NULL);
        result = capsule ? PyModule_AddObjectRef(module, handlers[k].name, capsule) : -1;
        Py_XDECREF(capsule);
    }
    return result;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, add_variants}, {Py_mod_exec, add_handlers}, {0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_kernels",
    .m_doc = "The compiled kernels of all engines; see kernels.h.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__kernels(void) {
    return PyModuleDef_Init(&definition);
}
