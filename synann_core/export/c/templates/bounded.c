/* Bounded to [0, 1], as gains above 1 need; what is not a number stays so. */
static $real ${name}_bounded($real x)
{
    return x > 1.0${f} ? 1.0${f} : x < 0.0${f} ? 0.0${f} : x;
}

