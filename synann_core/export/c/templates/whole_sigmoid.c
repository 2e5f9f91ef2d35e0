/* Log-odds z become surprisals log2(1 + 2^-z), in place; y are their probabilities. */
static void ${name}_gate(int32_t *z, uint16_t *y)
{
    for (int i = 0; i < $hidden; i++) {
        const int32_t size = z[i] < 0 ? -z[i] : z[i];
        z[i] = (z[i] < 0 ? size : 0) + ${name}_log2(${name}_exp2(size));
        y[i] = ${name}_exp2(z[i]);
    }
}

