/* The surprisal of a probability. That of 0 is 2^30 units. */
${local}int32_t ${name}_surprisal(uint32_t p)
{
    int32_t halvings = 1;
    if (p == 0u || p > 65535u)
        return p == 0u ? 1073741824 : 0;
    for (; p < 32768u; p <<= 1)
        halvings++;
    return halvings * 32768 - ${name}_log2((p - 32768u) * 2u);
}

/* Multiply by 1 - inhibited / 2^16, where inhibited is 65534 at most, so that m does not become 0.
 * The product is m / 2^(16 + halvings): m keeps 16 bits. */
static uint32_t ${name}_times(uint32_t m, uint32_t inhibited, int32_t *halvings)
{
    m -= (m * inhibited + 32768u) >> 16;
    for (; m < 32768u; m <<= 1)
        ++*halvings;
    return m;
}

