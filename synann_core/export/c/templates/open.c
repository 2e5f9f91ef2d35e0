/* 1 - beta y, of which nothing cancels where beta y is close to 1. Where y is not in [0, 1], as
 * gains make it, it is rounded once. */
static $real ${name}_open($real beta, $real y)
{
    return y >= 0.0${f} && y <= 1.0${f} ? (1.0${f} - y) + y * (1.0${f} - beta)
                                        : fma${f}(-beta, y, 1.0${f});
}

