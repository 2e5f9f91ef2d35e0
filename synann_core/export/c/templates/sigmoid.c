/* Probabilities y of log-odds, in place, and log y, which stays finite where y underflows. */
static void ${name}_gate($real *y, $real *log_y)
{
    for (int i = 0; i < $hidden; i++) {
        const $real e = exp${f}(-fabs${f}(y[i]));
        log_y[i] = (y[i] < 0.0${f} ? y[i] : 0.0${f}) - log1p${f}(e);
        y[i] = (y[i] < 0.0${f} ? e : 1.0${f}) / (1.0${f} + e);
    }
}

