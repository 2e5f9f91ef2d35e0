/* $outputs outputs of $inputs inputs: $what. */
void ${name}_run(const $real *x, $real *out)
{
$statements
}
