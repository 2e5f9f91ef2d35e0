
/* Points of $classes classes of $features features; one point is $unit nats of a score.
$coding */
void ${name}_points(const $input *x, long *points)
{
$statements
}
