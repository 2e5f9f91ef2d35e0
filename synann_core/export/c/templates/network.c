/* $classes logits of $features features in [0, 1]. */
void ${name}_logits(const $real *x, $real *logits)
{
    $real y[$hidden], log_y[$hidden];
    ${name}_affine(${name}_in, ${name}_in_bias, x, y, $hidden, $features);
    ${name}_gate(y, log_y);
$middle    ${name}_affine(${name}_out, ${name}_out_bias, $encoded, logits, $classes, $hidden);
}
