/* Logits of $classes classes of $features features, of which 0 to $levels mean 0 to 1; more are not
 * allowed. One unit of a logit is $unit nats. No sum overflows, whatever the features. */
void ${name}_logits(const uint8_t *x, int64_t *logits)
{
    int32_t z[$hidden];
    uint16_t y[$hidden];
    for (int i = 0; i < $hidden; i++) {
        int32_t sum = ${name}_in_bias[i];
        for (int j = 0; j < $features; j++)
            sum += (int32_t)${name}_in[i * $features + j] * x[j];
        const uint64_t scaled = (uint64_t)(uint32_t)(sum < 0 ? -sum : sum) * ${name}_in_scale[i];
        const int32_t size = (int32_t)((scaled + ${rounding}u) >> $shift);
        z[i] = sum < 0 ? -size : size;
    }
    ${name}_gate(z, y);
$middle    for (int i = 0; i < $classes; i++) {
        logits[i] = ${name}_out_bias[i];
        for (int j = 0; j < $hidden; j++)
            logits[i] += (int64_t)${name}_out[i * $hidden + j] * $encoded[j];
    }
}
