
/* Points of $classes classes of $features features; one point is $unit nats of a score.
$coding */
void ${name}_points(const $input *x, long *points)
{
$statements
}

/* The most probable class. */
int ${name}_predict(const $input *x)
{
    long points[$classes];
    int best = 0;
    ${name}_points(x, points);
    for (int i = 1; i < $classes; i++)
        if (points[i] > points[best])
            best = i;
    return best;
}
