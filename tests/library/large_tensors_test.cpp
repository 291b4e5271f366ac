// Tensors of a little more than 2^31 and 2^32 elements (trap 16), in a few MiB of memory: all but the last elements of
// each are one window of memory mapped over and over, and hold the same values in every window; what lies beyond has
// memory of its own, and only 64-bit indices lead there.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "norma/norma.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace norma {
namespace {

constexpr std::int64_t kWindow = std::int64_t{1} << 21;  // elements

// A tensor so mapped, of `repeated` + `beyond` elements.
template <class T>
class LargeTensor {
 public:
  LargeTensor(std::int64_t repeated, std::int64_t beyond) : repeated_(repeated), beyond_(beyond) {
#if defined(__linux__)
    const int file = memfd_create("norma-large-tensor", 0);
    void* const all = mmap(nullptr, bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (file < 0 || all == MAP_FAILED || ftruncate(file, kWindow * kSize) != 0) return;
    T* const start = static_cast<T*>(all);
    bool mapped = true;
    for (std::int64_t at = 0; at < repeated_ && mapped; at += kWindow) {
      mapped = mmap(start + at, kWindow * kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) != MAP_FAILED;
    }
    mapped = mapped &&
             mprotect(start + repeated_, static_cast<std::size_t>(beyond) * sizeof(T), PROT_READ | PROT_WRITE) == 0;
    close(file);
    if (mapped) data_ = start;
#endif
  }
  ~LargeTensor() {
#if defined(__linux__)
    if (data_ != nullptr) munmap(data_, bytes());
#endif
  }
  LargeTensor(const LargeTensor&) = delete;
  LargeTensor& operator=(const LargeTensor&) = delete;

  T* data() const {
    return data_;
  }
  T* beyond() const {
    return data_ + repeated_;
  }

 private:
  static constexpr std::int64_t kSize = sizeof(T);
  std::size_t bytes() const {
    return static_cast<std::size_t>(repeated_ + beyond_) * sizeof(T);
  }
  std::int64_t repeated_, beyond_;
  T* data_ = nullptr;
};

// x is 1 and -1 in turns and dy 2, 2, 0, 0: along a row of `run` = 1, or down columns of `run` elements a row. Then the
// mean is 0, the variance 1 and dy has no share of x: y = x * rstd, dx = (dy - 1) * rstd.
float x_at(std::int64_t i, std::int64_t run) {
  return i / run % 2 == 0 ? 1.0F : -1.0F;
}
float dy_at(std::int64_t i, std::int64_t run) {
  return i / run % 4 < 2 ? 2.0F : 0.0F;
}

// `along`: gamma lies along the row, so that every row gives it the same terms; otherwise dy adds up to 1 an element,
// and dy * x to 0.
template <class T = float>
void check(const Descriptor& descriptor, const Shape& shape, std::int64_t run, bool along, int log_repeated = 31) {
  const std::int64_t repeated = std::int64_t{1} << log_repeated;
  const std::int64_t beyond = shape.elements() - repeated;
  ASSERT_GT(beyond, 0);
  const double unit = sizeof(T) == 2 ? 0x1p-8 : 1e-6;  // of a result near 1
  const LargeTensor<T> x(repeated, beyond), dy(repeated, beyond), out(repeated, beyond);
  if (x.data() == nullptr || dy.data() == nullptr || out.data() == nullptr) {
    GTEST_SKIP() << "needs Linux and 24 GiB of addresses";
  }
  for (std::int64_t i = 0; i < kWindow; ++i) {
    x.data()[i] = T(x_at(i, run));
    dy.data()[i] = T(dy_at(i, run));
  }
  for (std::int64_t i = 0; i < beyond; ++i) {
    x.beyond()[i] = T(x_at(i, run));
    dy.beyond()[i] = T(dy_at(i, run));
  }
  const Shape statistics = statistics_shape(descriptor, shape);
  const Shape parameters = affine_shape(descriptor, shape);
  std::vector<double> mean(static_cast<std::size_t>(statistics.elements()), -1.0), rstd = mean;
  std::vector<float> dgamma(static_cast<std::size_t>(parameters.elements()), -1.0F), dbeta = dgamma;
  const TensorView mean_out(mean.data(), statistics), rstd_out(rstd.data(), statistics);

  forward(descriptor, {x.data(), shape}, {}, {}, {out.data(), shape}, mean_out, rstd_out);
  const double scale = 1 / std::sqrt(1 + descriptor.eps);
  for (std::size_t s = 0; s < mean.size(); ++s) {
    ASSERT_NEAR(mean[s], 0.0, 1e-12) << s;
    ASSERT_NEAR(rstd[s], scale, 1e-12) << s;
  }
  for (std::int64_t i = 0; i < beyond; ++i)
    ASSERT_NEAR(static_cast<double>(out.beyond()[i]), x_at(i, run) * scale, unit) << i;
  for (std::int64_t i = 0; i < kWindow; ++i)
    ASSERT_NEAR(static_cast<double>(out.data()[i]), x_at(i, run) * scale, unit) << i;

  backward(descriptor, {dy.data(), shape}, {x.data(), shape}, {}, {mean.data(), statistics}, {rstd.data(), statistics},
           {out.data(), shape}, {dgamma.data(), parameters}, {dbeta.data(), parameters});
  for (std::int64_t i = 0; i < beyond; ++i)
    ASSERT_NEAR(static_cast<double>(out.beyond()[i]), (dy_at(i, run) - 1) * scale, unit) << i;
  for (std::int64_t i = 0; i < kWindow; ++i)
    ASSERT_NEAR(static_cast<double>(out.data()[i]), (dy_at(i, run) - 1) * scale, unit) << i;
  const auto terms = static_cast<double>(shape.elements() / parameters.elements());
  for (std::int64_t p = 0; p < parameters.elements(); ++p) {
    const double expected_dbeta = along ? terms * dy_at(p, run) : terms;
    const double expected_dgamma = along ? terms * dy_at(p, run) * x_at(p, run) * scale : 0.0;
    ASSERT_NEAR(dbeta[static_cast<std::size_t>(p)], expected_dbeta, 1e-6 * terms) << p;
    ASSERT_NEAR(dgamma[static_cast<std::size_t>(p)], expected_dgamma, 1e-6 * terms) << p;
  }
}

TEST(LargeTensors, OfContiguousRowsAreReachedToTheirEnd) {
  check(layer_norm(), {(std::int64_t{1} << 21) + 2, 1024}, 1, true);
}

TEST(LargeTensors, OfSegmentsAreReachedToTheirEnd) {
  check(batch_norm(), {(std::int64_t{1} << 15) + 1, 64, 32, 32}, 1, false);
}

TEST(LargeTensors, OfColumnsAreReachedToTheirEnd) {
  check(batch_norm(), {(std::int64_t{1} << 21) + 4, 1024}, 1024, false);
}

TEST(LargeTensors, OfMoreThan2To32ElementsInBf16AreReachedToTheirEnd) {
  check<bfloat16>(layer_norm(), {(std::int64_t{1} << 22) + 2, 1024}, 1, true, 32);
  check<bfloat16>(batch_norm(), {(std::int64_t{1} << 22) + 4, 1024}, 1024, false, 32);
}

}  // namespace
}  // namespace norma
