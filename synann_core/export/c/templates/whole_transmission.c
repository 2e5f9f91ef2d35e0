/* Surprisal of what inputs y let through: -sum of log2(1 - beta y). The product of the factors is
 * m / 2^(16 + halvings), of which m keeps 16 bits. */
static int32_t ${name}_transmission(const $beta *beta, const uint16_t *y)
{
    uint32_t m = 65535u;
    int32_t halvings = 0;
    for (int j = 0; j < $hidden; j++) {
        const uint32_t inhibited = ((uint32_t)beta[j] * y[j] + ${half}u) >> $bits;
        m -= (m * inhibited + 32768u) >> 16;
        for (; m < 32768u; m <<= 1)
            halvings++;
    }
    return (halvings + 1) * 32768 - ${name}_log2((m - 32768u) * 2u);
}

