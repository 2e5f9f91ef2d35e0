/* $title
 *
 * Written by synann. C99, no heap, $needs; $bytes bytes in arrays of constants.
 * Compile it on its own, with the declarations below in a header, or include it in one file of a
 * program.
 */
#ifndef SYNANN_${guard}_C
#define SYNANN_${guard}_C

${includes}$declarations
$constants
