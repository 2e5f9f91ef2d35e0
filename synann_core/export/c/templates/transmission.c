/* Sum of log(1 - beta y): a logarithm for four factors, whose product cannot underflow. Where the
 * complement of the product is small, log1p of it is accurate; it is summed beside the product. */
static $real ${name}_log_transmission(const $real *beta, const $real *y, int inputs)
{
    $real total = 0.0${f}, lost = 0.0${f};
    for (int start = 0; start < inputs; start += 4) {
        $real product = 1.0${f}, complement = 0.0${f};
        for (int j = start; j < inputs && j < start + 4; j++) {
            complement += beta[j] * y[j] * product;
            product *= (1.0${f} - y[j]) + y[j] * (1.0${f} - beta[j]);
        }
        ${name}_add(&total, &lost,
                    complement < 0.5${f} ? log1p${f}(-complement) : log${f}(product));
    }
    return total;
}

