/* Probabilities y = softmax(y), in place, and log y, which stays finite where y underflows. */
static void ${name}_gate($real *y, $real *log_y)
{
    $real largest = y[0], sum = 0.0${f};
    for (int i = 1; i < $hidden; i++)
        largest = y[i] > largest ? y[i] : largest;
    for (int i = 0; i < $hidden; i++)
        sum += exp${f}(y[i] - largest);
    for (int i = 0; i < $hidden; i++) {
        log_y[i] = y[i] - largest - log${f}(sum);
        y[i] = exp${f}(log_y[i]);
    }
}

