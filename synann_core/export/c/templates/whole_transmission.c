/* Surprisal of what inputs y let through: -sum of log2(1 - beta y). */
static int32_t ${name}_transmission(const $beta *beta, const uint16_t *y)
{
    uint32_t product = 65535u;
    int32_t halvings = 0;
    for (int j = 0; j < $hidden; j++) {
        const uint32_t inhibited = ((uint32_t)beta[j] * y[j] + ${half}u) >> $bits;
        product = ${name}_times(product, inhibited, &halvings);
    }
    return halvings * 32768 + ${name}_surprisal(product);
}

