/* G(w) = -log(1 - e^-w), the surprisal of "not", without cancellation at either end. */
static $real ${name}_complement($real w)
{
    return w < 0.6931472${f} ? -log${f}(-expm1${f}(-w)) : -log1p${f}(-exp${f}(-w));
}

