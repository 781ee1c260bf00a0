// Draws responses from decoders of Llama's family, token by token, for rows of one or several policies at once.
//
// Prompts have been read: their keys, values and first logits come in and are shared by all their rows. A row that
// ends gives its slot to the next that waits, so no step runs for padding. Where policies have the same weights under
// different adapters, the weights are read once for all. The order of sums depends on neither threads nor neighbours.
#include "kernels.h"

#include <atomic>
#include <map>
#include <new>
#include <set>
#include <thread>
#include <vector>

extern "C" {

// y = weight x + bias + scale * up (down x); `rank` 0 is no adapter. Matrices are [outputs, inputs], row by row.
struct Linear {
    const float *weight, *bias, *down, *up;
    float scale;
    int32_t inputs, outputs, rank;
};

// The prompts' keys are [prompts, key heads, blocks, head width, KEYS] (see kernels.h), `prompt_length` of them in whole
// blocks; their values [prompts, key heads, prompt length, head width].
struct Layer {
    const float *attention_norm, *query_norm, *key_norm, *mlp_norm;
    Linear query, key, value, output, gate, up, down;
    const float *prompt_keys, *prompt_values;
};

// `first_logits` [prompts, vocabulary] follow each prompt, of whose places only the first `lengths` count.
struct Policy {
    const Layer* layers;
    const float *embedding, *norm, *first_logits;
    const int32_t* lengths;
    Linear head;
};

// `cosines` and `sines` [context, head width / 2] turn queries and keys; `steps` is room for a response's tokens. Of a
// row whose newest token is one of `closing` [vocabulary], `completes` says whether it ends there; both may be null.
struct Shape {
    int32_t layers, hidden, heads, key_heads, head_width, mlp, vocabulary, prompt_length, steps, slots;
    float epsilon, attention_scale, temperature;
    const float *cosines, *sines;
    const int32_t* ends;
    const uint8_t* closing;
    int32_t (*completes)(int32_t row);
    int32_t end_count;
};

// One entry a row; `uniforms`, `tokens`, `log_probs` and `sampled_log_probs` are [rows, steps].
struct Rows {
    int32_t count;
    const int32_t *policy, *prompt, *limit;
    const float* uniforms;
    int64_t* tokens;
    float *log_probs, *sampled_log_probs;
    int32_t* lengths;
};
}

namespace {

using Buffer = std::vector<float>;

// Threads that do the same steps side by side. A machine with other work gets its turn while one waits.
class Team {
  public:
    explicit Team(int size) : size(size) {}
    const int size;

    void wait() {
        const int now = phase.load();
        if (arrived.fetch_add(1) + 1 == size) {
            arrived.store(0);
            phase.store(now + 1);
            return;
        }
        for (int turns = 0; phase.load() == now; turns++)
            if (turns > 4000) std::this_thread::yield();
    }

  private:
    std::atomic<int> arrived{0}, phase{0};
};

struct Share {
    int begin, end;
};

Share share(int count, int me, int size) { return {int(int64_t(count) * me / size), int(int64_t(count) * (me + 1) / size)}; }

int padded(int columns) { return (columns + PANEL - 1) / PANEL * PANEL; }

// A row that is being continued: its place among all rows, its slot in the caches, its newest token, and how many.
struct Active {
    int row, slot, policy, prompt, length;
    int64_t token;
};

class Sampler {
  public:
    Sampler(const Shape& shape, const Policy* policies, int count, const Rows& rows, int threads)
        : shape(shape), policies(policies, policies + count), rows(rows), team(threads),
          queries(shape.heads * shape.head_width), keys(shape.key_heads * shape.head_width), hidden(padded(shape.hidden)) {
        for (int slot = shape.slots; slot--;) free_slots.push_back(slot);
        const int64_t heads = int64_t(shape.layers) * shape.slots * shape.key_heads * shape.head_width;
        own_keys.resize(heads * own_room());
        own_values.resize(heads * shape.steps);
        int rank = 0;
        for_each_linear([&](const Linear& l) { rank = std::max(rank, l.rank); });
        low_stride = rank;
        const auto room = [&](Buffer& buffer, int columns) { buffer.resize(size_t(shape.slots) * padded(columns)); };
        room(x, shape.hidden), room(normed, shape.hidden), room(q, queries), room(k, keys), room(v, keys);
        room(mixed, queries), room(gates, shape.mlp), room(ups, shape.mlp), room(logits, shape.vocabulary);
        low.resize(size_t(shape.slots) * rank);
        for_each_linear([&](const Linear& l) { packed[l.weight].resize(packed_size(l.outputs, l.inputs)); });
        scratch.resize(threads, Buffer(std::max(padded(shape.vocabulary), shape.prompt_length + own_room())));
    }

    void run(int steps) {
        const bool first = !next;
        std::vector<std::thread> others;
        for (int i = 1; i < team.size; i++) others.emplace_back([=, this] { work(i, steps, first); });
        work(0, steps, first);
        for (auto& other : others) other.join();
    }

    int own_room() const { return blocks_of(shape.steps) * KEYS; }

    int left() const { return int(active.size()) + rows.count - next; }

  private:
    const Shape shape;
    const std::vector<Policy> policies;
    const Rows rows;
    Team team;
    const int queries, keys, hidden;
    int low_stride = 0, next = 0;
    std::map<const float*, Buffer> packed;
    std::vector<Active> active;
    std::vector<int> free_slots, begins;
    Buffer own_keys, own_values, x, normed, q, k, v, mixed, gates, ups, logits, low;
    std::vector<Buffer> scratch;

    template <typename Function> void for_each_linear(Function function) {
        for (const Policy& policy : policies) {
            for (int i = 0; i < shape.layers; i++) {
                const Layer& l = policy.layers[i];
                for (const Linear* linear : {&l.query, &l.key, &l.value, &l.output, &l.gate, &l.up, &l.down}) function(*linear);
            }
            function(policy.head);
        }
    }

    void work(int me, int steps, bool first) {
        if (first) pack(me);
        if (me == 0) admit();
        team.wait();
        for (int step = 0; step < steps && !active.empty(); step++) {
            forward(me);
            const Share mine = share(int(active.size()), me, team.size);
            for (int i = mine.begin; i < mine.end; i++) draw(active[i], &logits[size_t(i) * padded(shape.vocabulary)], scratch[me]);
            team.wait();
            if (me == 0) {
                retire();
                admit();
            }
            team.wait();
        }
    }

    void pack(int me) {
        std::set<const float*> done;
        for_each_linear([&](const Linear& l) {
            if (!done.insert(l.weight).second) return;
            const Share mine = share(padded(l.outputs) / PANEL, me, team.size);
            for (int panel = mine.begin; panel < mine.end; panel++)
                pack_panel(l.weight, l.outputs, l.inputs, panel, packed.at(l.weight).data());
        });
        team.wait();
    }

    // Fills free slots with rows that wait, in their order; a row's first token needs no more than its prompt.
    void admit() {
        while (!free_slots.empty() && next < rows.count) {
            const int row = next++;
            Active entering{row, free_slots.back(), rows.policy[row], rows.prompt[row], 0, 0};
            Buffer first(policies[entering.policy].first_logits + int64_t(entering.prompt) * shape.vocabulary,
                         policies[entering.policy].first_logits + int64_t(entering.prompt + 1) * shape.vocabulary);
            draw(entering, first.data(), scratch[0]);
            if (ended(entering)) continue;
            free_slots.pop_back();
            active.push_back(entering);
        }
        std::stable_sort(active.begin(), active.end(), [](const Active& a, const Active& b) { return a.policy < b.policy; });
        begins.assign(policies.size() + 1, 0);
        for (const Active& a : active) begins[a.policy + 1]++;
        for (size_t i = 1; i < begins.size(); i++) begins[i] += begins[i - 1];
    }

    bool ended(const Active& a) const {
        const int32_t* last = shape.ends + shape.end_count;
        if (a.length >= rows.limit[a.row] || std::find(shape.ends, last, int32_t(a.token)) != last) return true;
        return shape.completes && shape.closing[a.token] && shape.completes(a.row);
    }

    void retire() {
        const auto gone = std::stable_partition(active.begin(), active.end(), [&](const Active& a) { return !ended(a); });
        for (auto a = gone; a != active.end(); ++a) free_slots.push_back(a->slot);
        active.erase(gone, active.end());
    }

    // The token at which the distribution function passes the row's next uniform number, and its log-probability.
    void draw(Active& a, float* row_logits, Buffer& weights) {
        const int n = shape.vocabulary;
        const float most = largest(row_logits, n), factor = 1.0f / shape.temperature;
        std::copy(row_logits, row_logits + n, weights.begin());
        const double total = exponentiate(weights.data(), 1.0f, most, n);
        double warm_total = total;
        if (shape.temperature != 1.0f) {
            std::copy(row_logits, row_logits + n, weights.begin());
            warm_total = exponentiate(weights.data(), factor, factor * most, n);
        }
        const int64_t at = int64_t(a.row) * shape.steps + a.length;
        const int token = invert(weights.data(), double(rows.uniforms[at]) * warm_total, n);
        rows.tokens[at] = a.token = token;
        rows.log_probs[at] = float(row_logits[token] - most - std::log(total));
        rows.sampled_log_probs[at] = float(double(factor) * (row_logits[token] - most) - std::log(warm_total));
        rows.lengths[a.row] = ++a.length;
    }

    // One token further for every active row, from embedding to logits.
    void forward(int me) {
        const Share mine = share(int(active.size()), me, team.size);
        for (int i = mine.begin; i < mine.end; i++) {
            const float* from = policies[active[i].policy].embedding + active[i].token * shape.hidden;
            std::copy(from, from + shape.hidden, &x[size_t(i) * hidden]);
        }
        for (int layer = 0; layer < shape.layers; layer++) {
            norm(mine, [&](const Policy& p) { return p.layers[layer].attention_norm; });
            team.wait();
            project(me, normed, q, [&](const Policy& p) { return &p.layers[layer].query; });
            project(me, normed, k, [&](const Policy& p) { return &p.layers[layer].key; });
            project(me, normed, v, [&](const Policy& p) { return &p.layers[layer].value; });
            team.wait();
            const Share heads = share(int(active.size()) * shape.key_heads, me, team.size);
            for (int i = heads.begin; i < heads.end; i++) attend(layer, i / shape.key_heads, i % shape.key_heads, scratch[me]);
            team.wait();
            project(me, mixed, x, [&](const Policy& p) { return &p.layers[layer].output; }, true);
            team.wait();
            norm(mine, [&](const Policy& p) { return p.layers[layer].mlp_norm; });
            team.wait();
            project(me, normed, gates, [&](const Policy& p) { return &p.layers[layer].gate; });
            project(me, normed, ups, [&](const Policy& p) { return &p.layers[layer].up; });
            activate(me);
            team.wait();
            project(me, gates, x, [&](const Policy& p) { return &p.layers[layer].down; }, true);
            team.wait();
        }
        norm(mine, [&](const Policy& p) { return p.norm; });
        team.wait();
        project(me, normed, logits, [&](const Policy& p) { return &p.head; });
        team.wait();
    }

    template <typename Weight> void norm(Share mine, Weight weight) {
        for (int i = mine.begin; i < mine.end; i++) {
            const float* from = &x[size_t(i) * hidden];
            float* to = &normed[size_t(i) * hidden];
            normalise(from, weight(policies[active[i].policy]), to, shape.hidden);
        }
    }

    void normalise(const float* from, const float* weight, float* to, int n) const {
        const float scale = 1.0f / std::sqrt(dot(from, from, n) / n + shape.epsilon);
        for (int c = 0; c < n; c++) to[c] = from[c] * scale * weight[c];
    }

    // My panels of `to` (added to it, or in its place), each product over all rows that share the weights.
    template <typename Which> void project(int me, const Buffer& from, Buffer& to, Which which, bool add = false) {
        const Linear& any = *which(policies[0]);
        const int inputs = any.inputs, from_stride = padded(inputs), to_stride = padded(any.outputs);
        if (low_stride) shrink(me, from, from_stride, which);
        const Share mine = share(to_stride / PANEL, me, team.size);
        for (size_t first = 0, last; first < policies.size(); first = last) {
            const Linear& shared = *which(policies[first]);
            for (last = first + 1; last < policies.size() && which(policies[last])->weight == shared.weight;) last++;
            const int begin = begins[first], count = begins[last] - begin;
            if (!count) continue;
            const Buffer& weight = packed.at(shared.weight);
            for (int panel = mine.begin; panel < mine.end; panel++) {
                const int column = panel * PANEL, columns = std::min(PANEL, any.outputs - column);
                for (int i = begin; i < begin + count && !add; i++) {
                    float* y = &to[size_t(i) * to_stride + column];
                    std::fill(y, y + PANEL, 0.0f);
                    if (shared.bias) std::copy(shared.bias + column, shared.bias + column + columns, y);
                }
                multiply(&from[size_t(begin) * from_stride], from_stride, count, weight.data(), inputs, panel,
                         &to[size_t(begin) * to_stride], to_stride);
                if (low_stride) grow(begin, begin + count, column, columns, to, to_stride, which);
            }
        }
    }

    // low = down x, what an adapter leaves of each row
    template <typename Which> void shrink(int me, const Buffer& from, int stride, Which which) {
        team.wait();
        const Share mine = share(int(active.size()), me, team.size);
        for (int i = mine.begin; i < mine.end; i++) {
            const Linear& l = *which(policies[active[i].policy]);
            for (int r = 0; r < l.rank; r++)
                low[size_t(i) * low_stride + r] = l.scale * dot(&from[size_t(i) * stride], l.down + int64_t(r) * l.inputs, l.inputs);
        }
        team.wait();
    }

    template <typename Which>
    void grow(int begin, int end, int column, int columns, Buffer& to, int stride, Which which) {
        for (int i = begin; i < end; i++) {
            const Linear& l = *which(policies[active[i].policy]);
            for (int c = 0; c < columns && l.rank; c++)
                to[size_t(i) * stride + column + c] += dot(&low[size_t(i) * low_stride], l.up + int64_t(column + c) * l.rank, l.rank);
        }
    }

    // gate <- silu(gate) * up, on the panels that this thread has just computed
    void activate(int me) {
        const int stride = padded(shape.mlp);
        const Share mine = share(stride / PANEL, me, team.size);
        for (size_t i = 0; i < active.size(); i++)
            for (int c = mine.begin * PANEL; c < mine.end * PANEL; c += WIDTH) {
                float* gate = &gates[i * stride + c];
                const Floats g = load(gate), down = exponential(g < Floats{} ? g : -g);  // e^-|g|
                const Floats share_of_one = (g < Floats{} ? down : all(1.0f)) / (1.0f + down);
                store(gate, g * share_of_one * load(&ups[i * stride + c]));
            }
    }

    void turn(float* head, int position) const {
        const int half = shape.head_width / 2;
        const float *cosines = shape.cosines + int64_t(position) * half, *sines = shape.sines + int64_t(position) * half;
        for (int c = 0; c < half; c++) {
            const float a = head[c], b = head[c + half];
            head[c] = a * cosines[c] - b * sines[c];
            head[c + half] = b * cosines[c] + a * sines[c];
        }
    }

    // The queries of one key head of one row, over its prompt's keys and its own.
    void attend(int layer, int i, int head, Buffer& weights) {
        const Active& a = active[i];
        const Policy& policy = policies[a.policy];
        const Layer& l = policy.layers[layer];
        const int width = shape.head_width, group = shape.heads / shape.key_heads, own = a.length;
        const int prompt = policy.lengths[a.prompt], n = prompt + own, position = n - 1;
        float* query = &q[size_t(i) * padded(queries) + head * group * width];
        float* key = &k[size_t(i) * padded(keys) + head * width];
        const float* value = &v[size_t(i) * padded(keys) + head * width];
        if (l.key_norm) normalise(key, l.key_norm, key, width);
        turn(key, position);

        const int64_t place = ((int64_t(layer) * shape.slots + a.slot) * shape.key_heads + head) * width;
        float *cached_keys = &own_keys[place * own_room()], *cached_values = &own_values[place * shape.steps];
        float* last_block = cached_keys + int64_t((own - 1) / KEYS) * width * KEYS;
        for (int c = 0; c < width; c++) last_block[c * KEYS + (own - 1) % KEYS] = key[c];
        std::copy(value, value + width, cached_values + int64_t(own - 1) * width);

        const int64_t shared = (int64_t(a.prompt) * shape.key_heads + head) * width * shape.prompt_length;
        const float *prompt_keys = l.prompt_keys + shared, *prompt_values = l.prompt_values + shared;
        for (int g = 0; g < group; g++) {
            float *turned = query + g * width, *w = weights.data(), *out = &mixed[size_t(i) * padded(queries) + (head * group + g) * width];
            if (l.query_norm) normalise(turned, l.query_norm, turned, width);
            turn(turned, position);
            score(turned, width, prompt_keys, prompt, w);
            score(turned, width, cached_keys, own, w + prompt);
            const float scale = shape.attention_scale, most = largest(w, n);
            const float total = float(exponentiate(w, scale, scale * most, n));
            std::fill(out, out + width, 0.0f);
            mix(w, prompt_values, prompt, width, out);
            mix(w + prompt, cached_values, own, width, out);
            for (int c = 0; c < width; c++) out[c] /= total;
        }
    }
};

}  // namespace

extern "C" {

// The bytes of the structures above, by which a caller knows a build of other sources.
int32_t boldly_layout() { return sizeof(Linear) + sizeof(Layer) + sizeof(Policy) + sizeof(Shape) + sizeof(Rows); }

// Null where there is not enough memory.
void* boldly_sampler(const Shape* shape, const Policy* policies, int32_t count, const Rows* rows, int32_t threads) {
    try {
        return new Sampler(*shape, policies, count, *rows, threads);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

// Draws at most `steps` tokens for each slot, from where the last call ended; how many rows have not ended.
int32_t boldly_run(void* sampler, int32_t steps) {
    auto* s = static_cast<Sampler*>(sampler);
    s->run(steps);
    return s->left();
}

void boldly_free(void* sampler) { delete static_cast<Sampler*>(sampler); }
}
