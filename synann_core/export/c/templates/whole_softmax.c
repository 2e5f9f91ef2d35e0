/* Scores z become surprisals of softmax(z), in place; y are their probabilities. */
static void ${name}_gate(int32_t *z, uint16_t *y)
{
    int32_t largest = z[0], normal = -32768;
    uint32_t sum = 0;
    for (int i = 1; i < $hidden; i++)
        largest = z[i] > largest ? z[i] : largest;
    for (int i = 0; i < $hidden; i++) {
        z[i] = largest - z[i];
        sum += ${name}_exp2(z[i]);
    }
    while (sum > 65535u) { /* one of them is 65535 */
        sum = (sum + 1u) >> 1;
        normal += 32768;
    }
    normal += ${name}_log2((sum - 32768u) * 2u);
    for (int i = 0; i < $hidden; i++) {
        z[i] += normal < 0 ? 0 : normal;
        y[i] = ${name}_exp2(z[i]);
    }
}

