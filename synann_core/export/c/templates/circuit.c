/* A step. The state, $states probabilities, is the program's to set before the first;
 * $driven. */
void ${name}_step(${name}_state *state, const $real *drive)
{
$statements
}
