/* 1 - beta y, of which nothing cancels where beta y is close to 1. */
static $real ${name}_open($real beta, $real y)
{
    return (1.0${f} - y) + y * (1.0${f} - beta);
}

