static void ${name}_affine(const $real *weight, const $real *bias, const $real *x, $real *out,
                           int rows, int columns)
{
    for (int i = 0; i < rows; i++) {
        $real sum = bias[i], lost = 0.0${f};
        for (int j = 0; j < columns; j++)
            if (x[j] != 0.0${f}) /* few inputs are, where they are spikes or pixels */
                ${name}_add(&sum, &lost, weight[i * columns + j] * x[j]);
        out[i] = sum;
    }
}

