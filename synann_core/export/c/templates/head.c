/* $title
 *
 * Written by synann. C99, no heap, nothing but math.h; $bytes bytes in arrays of constants.
 * Compile it on its own, with the declarations below in a header, or include it in one file of a
 * program. Not with -ffast-math, which takes the sums' rounding errors for 0.
 */
#ifndef SYNANN_${guard}_C
#define SYNANN_${guard}_C

#include <math.h>

$declarations
$constants
