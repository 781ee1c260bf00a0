// Vectors of floats, and what is computed with them: products with packed weights, exponentials, sums.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#if defined(__AVX512F__)
constexpr int WIDTH = 16, TILE_ROWS = 12;
#else
constexpr int WIDTH = 8, TILE_ROWS = 6;
#endif
constexpr int PANEL = 2 * WIDTH;

typedef float Floats __attribute__((vector_size(WIDTH * sizeof(float)), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(WIDTH * sizeof(int32_t)), aligned(4), may_alias));

inline Floats load(const float* from) { return *reinterpret_cast<const Floats*>(from); }
inline void store(float* to, Floats values) { *reinterpret_cast<Floats*>(to) = values; }
inline Floats all(float value) { return value - Floats{}; }

inline float sum(Floats values) {
    float result = 0;
    for (int i = 0; i < WIDTH; i++) result += values[i];
    return result;
}

inline float dot(const float* a, const float* b, int n) {
    Floats parts = {};
    int i = 0;
    for (; i + WIDTH <= n; i += WIDTH) parts += load(a + i) * load(b + i);
    float result = sum(parts);
    for (; i < n; i++) result += a[i] * b[i];
    return result;
}

// Keys lie in blocks of KEYS, each [width, KEYS], so that many queries' scores are computed from what lies in a row.
constexpr int KEYS = 64, KEY_VECTORS = KEYS / WIDTH;

inline int blocks_of(int keys) { return (keys + KEYS - 1) / KEYS; }

// scores[j] = query . key j for n keys; writes whole blocks.
inline void score(const float* query, int width, const float* blocks, int n, float* scores) {
    for (int block = 0; block < blocks_of(n); block++) {
        const float* from = blocks + int64_t(block) * width * KEYS;
        Floats parts[KEY_VECTORS] = {};
        for (int c = 0; c < width; c++) {
            const Floats factor = all(query[c]);
#pragma GCC unroll 8
            for (int i = 0; i < KEY_VECTORS; i++) parts[i] += factor * load(from + c * KEYS + i * WIDTH);
        }
        for (int i = 0; i < KEY_VECTORS; i++) store(scores + block * KEYS + i * WIDTH, parts[i]);
    }
}

template <int VECTORS>
inline void mix_columns(const float* weights, const float* values, int n, int width, float* to) {
    Floats parts[VECTORS] = {};
    for (int j = 0; j < n; j++) {
        const Floats factor = all(weights[j]);
#pragma GCC unroll 8
        for (int i = 0; i < VECTORS; i++) parts[i] += factor * load(values + int64_t(j) * width + i * WIDTH);
    }
    for (int i = 0; i < VECTORS; i++) store(to + i * WIDTH, load(to + i * WIDTH) + parts[i]);
}

// to[c] += sum over j of weights[j] * values[j, c], for values that lie [n, width]
inline void mix(const float* weights, const float* values, int n, int width, float* to) {
    int c = 0;
    for (; c + 8 * WIDTH <= width; c += 8 * WIDTH) mix_columns<8>(weights, values + c, n, width, to + c);
    for (; c + WIDTH <= width; c += WIDTH) mix_columns<1>(weights, values + c, n, width, to + c);
    for (; c < width; c++)
        for (int j = 0; j < n; j++) to[c] += weights[j] * values[int64_t(j) * width + c];
}

// e^x to two units in the last place for x <= 0, and for what rounding puts just above; 0 below -87.
inline Floats exponential(Floats x) {
    const Floats least = all(-87.0f);
    const Ints vanishes = x < least;
    x = vanishes ? least : x;
    const Floats shifted = x * 1.44269504088896341f + 12582912.0f;  // adding 1.5 * 2^23 rounds to an integer
    const Floats whole = shifted - 12582912.0f;
    const Floats r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    Floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const Ints exponent = (__builtin_convertvector(whole, Ints) + 127) << 23;
    const Floats result = p * reinterpret_cast<const Floats&>(exponent);
    return vanishes ? Floats{} : result;
}

// values[i] <- e^(factor * values[i] - shift); returns their sum, in blocks of 256 floats and beyond that in doubles.
inline double exponentiate(float* values, float factor, float shift, int n) {
    double total = 0;
    for (int begin = 0; begin < n; begin += 256) {
        const int end = std::min(n, begin + 256);
        Floats parts = {};
        int i = begin;
        for (; i + WIDTH <= end; i += WIDTH) {
            const Floats e = exponential(factor * load(values + i) - shift);
            store(values + i, e);
            parts += e;
        }
        float block = sum(parts);
        for (; i < end; i++) block += values[i] = exponential(all(factor * values[i] - shift))[0];
        total += block;
    }
    return total;
}

// The first of `weights` whose running sum exceeds `aim`, or the last that is positive.
inline int invert(const float* weights, double aim, int n) {
    double passed = 0;
    int token = 0;
    for (int begin = 0; begin < n; begin += 256) {
        const int end = std::min(n, begin + 256);
        Floats parts = {};
        int i = begin;
        for (; i + WIDTH <= end; i += WIDTH) parts += load(weights + i);
        float block = sum(parts);
        for (; i < end; i++) block += weights[i];
        if (passed + block <= aim && end < n) {
            passed += block;
            continue;
        }
        for (i = begin; i < end; i++) {
            if (weights[i] > 0) token = i;
            passed += weights[i];
            if (passed > aim) return token;
        }
    }
    return token;
}

inline float largest(const float* values, int n) {
    Floats most = all(-INFINITY);
    int i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        const Floats next = load(values + i);
        most = next > most ? next : most;
    }
    float result = -INFINITY;
    for (int j = 0; j < WIDTH; j++) result = std::max(result, most[j]);
    for (; i < n; i++) result = std::max(result, values[i]);
    return result;
}

// A matrix [outputs, inputs] as panels of PANEL outputs, each [inputs, PANEL]: what a product reads lies in a row,
// where the rows of the matrix itself, a power of two apart, would push one another out of the first cache.
inline int64_t packed_size(int outputs, int inputs) { return int64_t((outputs + PANEL - 1) / PANEL) * PANEL * inputs; }

inline void pack_panel(const float* weight, int outputs, int inputs, int panel, float* packed) {
    float* to = packed + int64_t(panel) * PANEL * inputs;
    const int first = panel * PANEL, count = std::min(PANEL, outputs - first);
    for (int c = 0; c < PANEL; c++) {
        const float* row = weight + int64_t(first + c) * inputs;
        for (int k = 0; k < inputs; k++) to[int64_t(k) * PANEL + c] = c < count ? row[k] : 0.0f;
    }
}

template <int ROWS>
inline void tile(const float* x, int64_t x_stride, const float* panel, int inputs, float* y, int64_t y_stride) {
    Floats left[ROWS] = {}, right[ROWS] = {};
    for (int k = 0; k < inputs; k++) {
        const Floats l = load(panel + k * PANEL), r = load(panel + k * PANEL + WIDTH);
#pragma GCC unroll 16
        for (int row = 0; row < ROWS; row++) {
            const Floats value = all(x[row * x_stride + k]);
            left[row] += value * l;
            right[row] += value * r;
        }
    }
#pragma GCC unroll 16
    for (int row = 0; row < ROWS; row++) {
        float* to = y + row * y_stride;
        store(to, load(to) + left[row]);
        store(to + WIDTH, load(to + WIDTH) + right[row]);
    }
}

template <int ROWS>
inline void tile_of(int rows, const float* x, int64_t x_stride, const float* panel, int inputs, float* y, int64_t y_stride) {
    if (rows == ROWS) tile<ROWS>(x, x_stride, panel, inputs, y, y_stride);
    else if constexpr (ROWS > 1) tile_of<ROWS - 1>(rows, x, x_stride, panel, inputs, y, y_stride);
}

// y += x w^T for one panel of w; y has room for whole panels. Tiles are of like size: a narrow one waits for its sums.
inline void multiply(const float* x, int64_t x_stride, int rows, const float* packed, int inputs, int panel, float* y,
                     int64_t y_stride) {
    const float* from = packed + int64_t(panel) * PANEL * inputs;
    float* to = y + int64_t(panel) * PANEL;
    const int tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    for (int t = 0; t < tiles; t++) {
        const int begin = rows * t / tiles, count = rows * (t + 1) / tiles - begin;
        tile_of<TILE_ROWS>(count, x + begin * x_stride, x_stride, from, inputs, to + begin * y_stride, y_stride);
    }
}
