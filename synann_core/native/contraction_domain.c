/* What the numbers of a contraction's arrays are, read once. */

#include "kernels.h"
#include "vectors.h"

/* values, out[2]: write the least and the greatest number; NaN, if one of them is not finite. */
KERNEL(value_range)(const Array *arrays, const Number *numbers) {
    (void)numbers;
    REAL *out = arrays[1].data;
    if (arrays[1].size != 2) {
        return BAD_VALUE;
    }
    const Range range = range_of(arrays[0].data, arrays[0].size);
    out[0] = range.least;
    out[1] = range.most;
    return 0;
}
