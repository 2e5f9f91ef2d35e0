/* Logarithms are surprisals -log2(p) in units of 2^-15 bits, probabilities are in units of 2^-16.
 * Two functions go along straight lines between 129 points. */

/* log2(1 + e / 2^16), e below 2^16. */
static int32_t ${name}_log2(uint32_t e)
{
    const uint32_t i = e >> 9, low = ${name}_log2_points[i];
    const uint32_t step = ${name}_log2_points[i + 1] - low;
    return (int32_t)(low + ((step * (e & 511u) + 256u) >> 9));
}

/* The probability 2^-u of a surprisal u >= 0, below 1 by a unit at least. */
static uint16_t ${name}_exp2(int32_t u)
{
    const uint32_t i = ((uint32_t)u & 32767u) >> 8, halvings = (uint32_t)u >> 15;
    const uint32_t high = ${name}_exp2_points[i], step = high - ${name}_exp2_points[i + 1];
    const uint32_t y = high - ((step * ((uint32_t)u & 255u) + 128u) >> 8);
    return (uint16_t)(halvings > 16u ? 0u : (y + ((1u << halvings) >> 1)) >> halvings);
}

