/* At rest, before the first step; scores of nothing. */
void ${name}_init(${name}_state *state)
{
$init    for (int i = 0; i < $classes; i++)
        state->membrane_sum[i] = state->spike_count[i] = state->first_spike[i] = 0.0${f};
}

/* Currents of $features inputs into the first layer, until others come. */
void ${name}_input(${name}_state *state, const $real *x)
{
$input}

/* One step of all layers with these currents. */
void ${name}_advance(${name}_state *state)
{
$layers    for (int i = 0; i < $classes; i++) {
        state->membrane_sum[i] += state->membrane_$last[i];
        state->spike_count[i] += state->${out}_$last[i];
        if (state->spike_count[i] < 0.5${f}) /* minus the steps before the first spike */
            state->first_spike[i] -= 1.0${f};
    }
}

/* One step, with inputs of its own. */
void ${name}_step(${name}_state *state, const $real *x)
{
    ${name}_input(state, x);
    ${name}_advance(state);
}

/* The class with the largest score: of membrane_sum, spike_count or first_spike. */
int ${name}_best(const $real *scores)
{
    int best = 0;
    for (int i = 1; i < $classes; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

/* The class of inputs that stay for $steps steps, by the sums of the membranes. */
int ${name}_predict(${name}_state *state, const $real *x)
{
    ${name}_init(state);
    ${name}_input(state, x);
    for (int step = 0; step < $steps; step++)
        ${name}_advance(state);
    return ${name}_best(state->membrane_sum);
}
