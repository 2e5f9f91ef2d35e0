/* $classes logits of $features features in [0, 1]. */
void ${name}_logits(const $real *x, $real *logits)
{
    $real y[$hidden], log_y[$hidden];
    ${name}_affine(${name}_in, ${name}_in_bias, x, y, $hidden, $features);
    ${name}_gate(y, log_y);
$middle    ${name}_affine(${name}_out, ${name}_out_bias, $encoded, logits, $classes, $hidden);
}

/* The most probable class. */
int ${name}_predict(const $real *x)
{
    $real logits[$classes];
    int best = 0;
    ${name}_logits(x, logits);
    for (int i = 1; i < $classes; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}
