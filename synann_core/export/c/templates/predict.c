
/* The most probable class. */
int ${name}_predict(const $input *x)
{
    $score $scored[$classes];
    int best = 0;
    ${name}_$scored(x, $scored);
    for (int i = 1; i < $classes; i++)
        if (${scored}[i] > ${scored}[best])
            best = i;
    return best;
}
