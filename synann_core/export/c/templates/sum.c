/* Add a term to a sum, and keep what rounding takes away for the next one. Not with -ffast-math,
 * which takes that for 0. */
static void ${name}_add($real *sum, $real *lost, $real term)
{
    const $real wanted = term - *lost;
    const $real next = *sum + wanted;
    *lost = next - next == 0 ? (next - *sum) - wanted : 0; /* nothing is lost of infinity */
    *sum = next;
}

