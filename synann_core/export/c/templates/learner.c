/* Kept from 0, where G and the occupation are infinite. */
static $real ${name}_energy(int i, int j, const $real *v)
{
    const $real w = ${name}_gamma[i * $n + j] + v[j];
    return w < $floor ? $floor : w;
}

/* z = -log s: z[i] = theta[i] + u[i] + sum over j of G(gamma[i][j] + v[j]), in nats. */
void ${name}_forward(const $real *u, const $real *v, $real *z)
{
    for (int i = 0; i < $m; i++) {
        $real sum = ${name}_theta[i] + u[i], lost = 0.0${f};
        for (int j = 0; j < $n; j++)
            ${name}_add(&sum, &lost, ${name}_complement(${name}_energy(i, j, v)));
        z[i] = sum;
    }
}

/* A step of the local rule for one sample: gamma -= rate * error * Bose-Einstein occupation. */
void ${name}_learn(const $real *u, const $real *v, const $real *target, $real rate)
{
    $real p[$m], least, sum = 0.0${f}, tau = 0.0${f};
    ${name}_forward(u, v, p);
    least = p[0];
    for (int i = 1; i < $m; i++)
        least = p[i] < least ? p[i] : least;
    for (int i = 0; i < $m; i++) { /* softmax(-z) */
        p[i] = p[i] == least ? 1.0${f} : exp${f}(least - p[i]);
        sum += p[i];
        tau += target[i];
    }
    for (int i = 0; i < $m; i++) {
        const $real error = tau * (p[i] / sum) - target[i];
        for (int j = 0; j < $n; j++) {
            const $real occupation = 1.0${f} / expm1${f}(${name}_energy(i, j, v));
            const $real moved = ${name}_gamma[i * $n + j] - rate * error * occupation;
            if (moved == moved) /* of NaN nothing is learned */
                ${name}_gamma[i * $n + j] = moved < $gamma_min ? $gamma_min : moved;
        }
    }
}
