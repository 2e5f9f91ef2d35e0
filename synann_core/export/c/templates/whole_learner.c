/* What input j inhibits of output i: the probability of the surprisal gamma + v, 1 - 2^-15 at most. */
static uint32_t ${name}_inhibited(int i, int j, const int32_t *v)
{
    const uint32_t p = ${name}_exp2((int32_t)((${name}_gamma[i * $n + j] + 256u) >> 9) + v[j]);
    return p < 65535u ? p : 65534u;
}

/* z = -log s: z[i] = theta[i] + u[i] + sum over j of G(gamma[i][j] + v[j]), in units of 2^-15 bits,
 * as all of u and v are: from 0 to 2^30. */
void ${name}_forward(const int32_t *u, const int32_t *v, int32_t *z)
{
    for (int i = 0; i < $m; i++) {
        uint32_t product = 65535u;
        int32_t halvings = 0;
        for (int j = 0; j < $n; j++)
            product = ${name}_times(product, ${name}_inhibited(i, j, v), &halvings);
        z[i] = ${name}_theta[i] + u[i] + halvings * 32768 + ${name}_surprisal(product);
    }
}

/* A step of the local rule for one sample: gamma -= rate * error * Bose-Einstein occupation. Targets
 * are in units of 2^-15 and sum to 1 at most, the rate is in units of 2^-16. */
void ${name}_learn(const int32_t *u, const int32_t *v, const uint16_t *target, uint16_t rate)
{
    int32_t p[$m], least;
    uint32_t sum = 0, tau = 0;
    ${name}_forward(u, v, p);
    least = p[0];
    for (int i = 1; i < $m; i++)
        least = p[i] < least ? p[i] : least;
    for (int i = 0; i < $m; i++) { /* softmax(-z) */
        p[i] = ${name}_exp2(p[i] - least);
        sum += (uint32_t)p[i];
        tau += target[i];
    }
    for (int i = 0; i < $m; i++) {
        const int64_t error = (int64_t)((tau * (uint32_t)p[i] + sum / 2u) / sum) - target[i];
        const int64_t step = error * rate * 94548 / 8388608; /* 94548 / 2^16 bits are a nat */
        for (int j = 0; j < $n; j++) {
            const uint32_t inhibited = ${name}_inhibited(i, j, v);
            const uint32_t occupation = (inhibited << 16) / (65536u - inhibited);
            const int64_t moved = ${name}_gamma[i * $n + j] - step * occupation / 65536;
            ${name}_gamma[i * $n + j] = (uint32_t)(moved < $gamma_min ? $gamma_min
                                                   : moved > $gamma_max ? $gamma_max : moved);
        }
    }
}
