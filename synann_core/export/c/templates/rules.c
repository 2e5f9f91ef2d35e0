
/* Scores of $classes classes of $features features: log-probabilities but for a constant.
$coding */
void ${name}_scores(const $real *x, $real *scores)
{
$statements
}

/* Probabilities of the classes. */
void ${name}_probabilities(const $real *x, $real *p)
{
    $real largest, sum = 0.0${f};
    ${name}_scores(x, p);
    largest = p[0];
    for (int i = 1; i < $classes; i++)
        largest = p[i] > largest ? p[i] : largest;
    for (int i = 0; i < $classes; i++) {
        p[i] = exp${f}(p[i] - largest);
        sum += p[i];
    }
    for (int i = 0; i < $classes; i++)
        p[i] /= sum;
}
