// Tensors of more than 2^31 elements (trap 16): dense ones of bf16, in 12 GiB of memory, and f32 with rows so far apart
// that their offsets are beyond 2^32, in next to none.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "norma/norma.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace norma {
namespace {

// Elements, of addresses; memory comes where it is touched, in large pages where the system has them.
template <class T>
class LargeMemory {
 public:
  explicit LargeMemory(std::int64_t elements) : bytes_(static_cast<std::size_t>(elements) * sizeof(T)) {
#if defined(__linux__)
    void* const all = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) return;
    data_ = static_cast<T*>(all);
    if (sizeof(T) == 2) madvise(all, bytes_, MADV_HUGEPAGE);
#endif
  }
  ~LargeMemory() {
#if defined(__linux__)
    if (data_ != nullptr) munmap(data_, bytes_);
#endif
  }
  LargeMemory(const LargeMemory&) = delete;
  LargeMemory& operator=(const LargeMemory&) = delete;
  T* data() const {
    return data_;
  }

 private:
  std::size_t bytes_;
  T* data_ = nullptr;
};

// 0 where that is not said.
std::int64_t available_gib() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("MemAvailable:", 0) == 0) return std::stoll(line.substr(13)) >> 20;
  }
  return 0;
}

// x is 1 and -1 in turns and dy 2, 2, 0, 0: along a row of `run` = 1, or down columns of `run` elements a row. Then the
// mean is 0, the variance 1 and dy has no share of x: y = x * rstd, dx = (dy - 1) * rstd.
float x_at(std::int64_t i, std::int64_t run) {
  return i / run % 2 == 0 ? 1.0F : -1.0F;
}
float dy_at(std::int64_t i, std::int64_t run) {
  return i / run % 4 < 2 ? 2.0F : 0.0F;
}
// No result.
float nowhere(std::int64_t, std::int64_t) {
  return 7.0F;
}

constexpr std::int64_t kWindow = std::int64_t{1} << 21;  // elements after which all repeats
constexpr std::int64_t kMostElements = (std::int64_t{1} << 31) + (std::int64_t{1} << 18);

using Values = float (*)(std::int64_t i, std::int64_t run);

void fill(bfloat16* data, std::int64_t elements, std::int64_t run, Values value) {
  for (std::int64_t i = 0; i < kWindow; ++i) data[i] = bfloat16(value(i, run));
  for (std::int64_t at = kWindow; at < elements; at += kWindow) {
    std::memcpy(data + at, data, static_cast<std::size_t>(std::min(kWindow, elements - at)) * sizeof(bfloat16));
  }
}

// All of data is what the first window is, and that is `expected`.
template <class Expected>
void expect(const bfloat16* data, std::int64_t elements, const Expected& expected) {
  for (std::int64_t i = 0; i < kWindow; ++i) {
    ASSERT_NEAR(static_cast<double>(static_cast<float>(data[i])), expected(i), 0x1p-8) << i;
  }
  for (std::int64_t at = kWindow; at < elements; at += kWindow) {
    const auto bytes = static_cast<std::size_t>(std::min(kWindow, elements - at)) * sizeof(bfloat16);
    ASSERT_EQ(std::memcmp(data + at, data, bytes), 0) << "from element " << at;
  }
}

// `along`: gamma lies along the row, so that every row gives it the same terms; otherwise dy adds up to 1 an element,
// and dy * x to 0.
// What is written is there before, and is neither input: so it streams.
void check(const LargeMemory<bfloat16>& x, const LargeMemory<bfloat16>& dy, const LargeMemory<bfloat16>& out,
           const Descriptor& descriptor, const Shape& shape, std::int64_t run, bool along) {
  SCOPED_TRACE(std::string(descriptor.name) + " of " + shape.to_string());
  const std::int64_t elements = shape.elements();
  ASSERT_GT(elements, std::int64_t{1} << 31);
  ASSERT_LE(elements, kMostElements);
  const TensorView x_view(x.data(), shape), dy_view(dy.data(), shape), out_view(out.data(), shape);
  fill(x.data(), elements, run, x_at);
  fill(dy.data(), elements, run, dy_at);
  fill(out.data(), elements, run, nowhere);
  const Shape statistics = statistics_shape(descriptor, shape);
  const Shape parameters = affine_shape(descriptor, shape);
  std::vector<double> mean(static_cast<std::size_t>(statistics.elements()), -1.0), rstd = mean;
  std::vector<float> dgamma(static_cast<std::size_t>(parameters.elements()), -1.0F), dbeta = dgamma;

  forward(descriptor, x_view, {}, {}, out_view, {mean.data(), statistics}, {rstd.data(), statistics});
  const double scale = 1 / std::sqrt(1 + descriptor.eps);
  for (std::size_t s = 0; s < mean.size(); ++s) {
    ASSERT_NEAR(mean[s], 0.0, 1e-12) << s;
    ASSERT_NEAR(rstd[s], scale, 1e-12) << s;
  }
  expect(out.data(), elements, [&](std::int64_t i) { return x_at(i, run) * scale; });

  fill(out.data(), elements, run, nowhere);
  backward(descriptor, dy_view, x_view, {}, {mean.data(), statistics}, {rstd.data(), statistics}, out_view,
           {dgamma.data(), parameters}, {dbeta.data(), parameters});
  expect(out.data(), elements, [&](std::int64_t i) { return (dy_at(i, run) - 1) * scale; });
  const std::int64_t each = elements / parameters.elements();
  const auto terms = static_cast<double>(each);
  for (std::int64_t p = 0; p < parameters.elements(); ++p) {
    const double expected_dbeta = along ? terms * dy_at(p, run) : terms;
    const double expected_dgamma = along ? terms * dy_at(p, run) * x_at(p, run) * scale : 0.0;
    ASSERT_NEAR(dbeta[static_cast<std::size_t>(p)], expected_dbeta, 1e-6 * terms) << p;
    ASSERT_NEAR(dgamma[static_cast<std::size_t>(p)], expected_dgamma, 1e-6 * terms) << p;
  }
}

// Rows, segments and columns in the same memory: to clear pages for the first time takes most of this.
TEST(LargeTensors, AreReachedToTheirEnd) {
  if (available_gib() < 14) GTEST_SKIP() << "needs 14 GiB of memory, " << available_gib() << " are available";
  const LargeMemory<bfloat16> x(kMostElements), dy(kMostElements), out(kMostElements);
  if (x.data() == nullptr || dy.data() == nullptr || out.data() == nullptr) GTEST_SKIP() << "needs Linux";
  check(x, dy, out, layer_norm(), {(std::int64_t{1} << 21) + 2, 1024}, 1, true);
  check(x, dy, out, batch_norm(), {(std::int64_t{1} << 13) + 1, 64, 64, 64}, 1, false);
  check(x, dy, out, batch_norm(), {(std::int64_t{1} << 21) + 4, 1024}, 1024, false);
}

// Four rows, 2^31 elements from one to the next: the last begins beyond 2^32.
void check_apart(const Descriptor& descriptor, const Shape& shape, std::int64_t run) {
  constexpr std::int64_t kApart = std::int64_t{1} << 31;
  ASSERT_EQ(shape[0], 4);
  const std::int64_t row = shape.elements() / 4;
  Strides strides = dense_strides(shape, Layout::kChannelsFirst);
  strides[0] = kApart;
  const LargeMemory<float> x(3 * kApart + row), dy(3 * kApart + row), out(3 * kApart + row);
  if (x.data() == nullptr || dy.data() == nullptr || out.data() == nullptr) {
    GTEST_SKIP() << "needs Linux and 72 GiB of addresses";
  }
  const auto at = [&](std::int64_t i) { return i / row * kApart + i % row; };
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    x.data()[at(i)] = x_at(i, run);
    dy.data()[at(i)] = dy_at(i, run);
  }
  const auto view = [&](const LargeMemory<float>& of) {
    return TensorView(of.data(), DType::kFloat32, shape, strides);
  };
  const Shape statistics = statistics_shape(descriptor, shape);
  std::vector<double> mean(static_cast<std::size_t>(statistics.elements()), -1.0), rstd = mean;
  forward(descriptor, view(x), {}, {}, view(out), {mean.data(), statistics}, {rstd.data(), statistics});
  const double scale = 1 / std::sqrt(1 + descriptor.eps);
  for (std::int64_t i = 0; i < shape.elements(); ++i) ASSERT_NEAR(out.data()[at(i)], x_at(i, run) * scale, 1e-6) << i;
  backward(descriptor, view(dy), view(x), {}, {mean.data(), statistics}, {rstd.data(), statistics}, view(out), {}, {});
  for (std::int64_t i = 0; i < shape.elements(); ++i) {
    ASSERT_NEAR(out.data()[at(i)], (dy_at(i, run) - 1) * scale, 1e-6) << i;
  }
}

TEST(LargeTensors, WithRowsFarApartAreReachedToTheirEnd) {
  check_apart(layer_norm(), {4, 1024}, 1);
  check_apart(batch_norm(), {4, 1024}, 1024);
  check_apart(batch_norm(), {4, 8, 16, 16}, 1);
  check_apart(group_norm(2), {4, 8, 16, 16}, 1);
}

}  // namespace
}  // namespace norma
