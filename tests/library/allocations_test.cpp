// Nothing is allocated by a call that is like one before, and nothing at all where the caller gives the workspace.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>
#include <utility>

#include "kernels_support.h"
#include "norma/workspace.h"

namespace {

// Calls of operator new, by any thread.
std::atomic<std::int64_t> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
// One of a pair inlined without the other looks to GCC like a mismatched pair.
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace norma {
namespace {

using testing::Problem;

struct Setting {
  Descriptor descriptor;
  Shape shape;
  Layout layout = Layout::kChannelsFirst;
};

// Small and large calls of every way through the kernels; `gathered` axes last.
std::vector<Setting> settings() {
  return {{layer_norm(), {32, 64}},
          {layer_norm(), {300, 515}},
          {rms_norm(2), {40, 9, 33}},
          {batch_norm(), {64, 32}},
          {batch_norm(), {3000, 131}},
          {batch_norm(), {16, 13, 29, 31}},
          {batch_norm(), {16, 13, 29, 31}, Layout::kChannelsLast},
          {group_norm(4), {16, 24, 17, 19}},
          {group_norm(4), {16, 24, 17, 19}, Layout::kChannelsLast},
          {instance_norm(), {16, 13, 29, 31}},
          {instance_norm(), {16, 13, 29, 31}, Layout::kChannelsLast},
          {{.name = "channels", .statistics = Axes::of({1}), .affine = Axes::of({1})}, {16, 40, 17, 19}},
          {{.name = "by_hand", .statistics = Axes::of({0, 2}), .affine = Axes::of({1, 3})}, {16, 13, 29, 31}}};
}

// One problem with all its outputs, statistics in x's type so that they are converted, and a mask over the last axes.
template <class T>
class Calls {
 public:
  explicit Calls(const Setting& setting, bool masked)
      : p_(setting.descriptor, setting.shape, setting.layout, 1),
        y_(p_.elements()),
        dx_(p_.elements()),
        dgamma_(p_.gamma.size()),
        dbeta_(p_.gamma.size()),
        mean_(p_.statistics()),
        rstd_(p_.statistics(), T{1}),
        running_mean_(p_.statistics()),
        running_var_(p_.statistics(), T{1}) {
    if (!masked) return;
    std::vector<std::int64_t> sizes(setting.shape.sizes().begin(), setting.shape.sizes().end());
    if (sizes.size() > 2) sizes[1] = 1;
    if (sizes.size() == 2) sizes[1] = 1;
    const Shape shape{std::span<const std::int64_t>(sizes)};
    bytes_.assign(static_cast<std::size_t>(shape.elements()), 1);
    for (std::size_t i = 0; i < bytes_.size(); i += 5) bytes_[i] = 0;
    mask_ = MaskView(bytes_.data(), shape);
  }

  void run() {
    const auto gamma = p_.affine_view(std::as_const(p_.gamma));
    const auto mean = p_.statistic_view(std::as_const(mean_));
    const auto rstd = p_.statistic_view(std::as_const(rstd_));
    forward(p_.descriptor, p_.view(p_.x), gamma, p_.affine_view(p_.beta), p_.view(y_), p_.statistic_view(mean_),
            p_.statistic_view(rstd_), mask_);
    backward(p_.descriptor, p_.view(p_.dy), p_.view(p_.x), gamma, mean, rstd, p_.view(dx_), p_.affine_view(dgamma_),
             p_.affine_view(dbeta_), mask_);
    inference(p_.descriptor, p_.view(p_.x), gamma, p_.affine_view(p_.beta), mean, rstd, p_.view(y_), mask_);
    inference_backward(p_.descriptor, p_.view(p_.dy), p_.view(p_.x), gamma, mean, rstd, p_.view(dx_),
                       p_.affine_view(dgamma_), p_.affine_view(dbeta_), mask_);
    update_running(kTorch, 0.1, 8, mean, rstd, p_.statistic_view(running_mean_), p_.statistic_view(running_var_));
    norma::statistics(p_.descriptor, p_.view(p_.x), p_.statistic_view(mean_), p_.statistic_view(rstd_), mask_);
    merge(8, p_.statistic_view(mean_), p_.statistic_view(rstd_), 8, p_.statistic_view(std::as_const(running_mean_)),
          p_.statistic_view(std::as_const(running_var_)));
  }

  const std::vector<T>& y() const { return y_; }
  const std::vector<T>& dx() const { return dx_; }

 private:
  Problem<T> p_;
  std::vector<T> y_, dx_, dgamma_, dbeta_, mean_, rstd_, running_mean_, running_var_;
  std::vector<std::uint8_t> bytes_;
  MaskView mask_;
};

std::string describe(const Setting& setting, bool masked) {
  return std::string(setting.descriptor.name) + " of " + setting.shape.to_string() +
         (setting.layout == Layout::kChannelsLast ? " channels last" : "") + (masked ? " masked" : "");
}

template <class T>
void expect_no_allocation_after_the_first_call(bool masked) {
  for (const Setting& setting : settings()) {
    Calls<T> calls(setting, masked);
    calls.run();
    const std::int64_t before = allocations;
    calls.run();
    EXPECT_EQ(allocations - before, 0) << describe(setting, masked);
  }
}

TEST(Allocations, AreNoneAfterTheFirstCall) {
  expect_no_allocation_after_the_first_call<float>(false);
  expect_no_allocation_after_the_first_call<double>(false);
}

TEST(Allocations, AreNoneAfterTheFirstMaskedCall) {
  expect_no_allocation_after_the_first_call<float>(true);
}

// In any order: what one call keeps, the next does not lose.
TEST(Allocations, AreNoneAfterTheFirstRoundOfManyCalls) {
  std::vector<std::unique_ptr<Calls<float>>> all;
  for (const Setting& setting : settings()) all.push_back(std::make_unique<Calls<float>>(setting, false));
  for (const auto& calls : all) calls->run();
  for (const auto& calls : all) calls->run();
  const std::int64_t before = allocations;
  for (const auto& calls : all) calls->run();
  EXPECT_EQ(allocations - before, 0);
}

TEST(Workspace, OfTheSizeThatACallWantsServesItAlone) {
  for (const bool masked : {false, true}) {
    for (const Setting& setting : settings()) {
      SCOPED_TRACE(describe(setting, masked));
      Calls<float> calls(setting, masked);
      std::size_t needed = 0;
      {
        const WorkspaceScope measure(nullptr, 0);
        calls.run();
        needed = measure.needed();
      }
      ASSERT_GT(needed, 0U);
      const std::vector<float> y = calls.y();
      const std::vector<float> dx = calls.dx();
      // At every alignment.
      for (const std::size_t shift : {0, 1, 63}) {
        std::vector<std::byte> memory(needed + shift + 64, std::byte{0xA5});
        const WorkspaceScope scope(memory.data() + shift, needed);
        const std::int64_t before = allocations;
        calls.run();
        EXPECT_EQ(allocations - before, 0);
        EXPECT_EQ(scope.needed(), needed);
        EXPECT_FALSE(scope.busy());
        EXPECT_EQ(calls.y(), y);
        EXPECT_EQ(calls.dx(), dx);
        for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(memory[needed + shift + i % 64], std::byte{0xA5});
      }
    }
  }
}

TEST(Workspace, ThatIsTooSmallChangesNothingButTheHeap) {
  const Setting setting{batch_norm(), {16, 13, 29, 31}, Layout::kChannelsLast};
  Calls<float> calls(setting, false);
  calls.run();
  const std::vector<float> y = calls.y();
  const std::vector<float> dx = calls.dx();
  std::vector<std::byte> memory(5000);
  const WorkspaceScope scope(memory.data(), memory.size());
  const std::int64_t before = allocations;
  calls.run();
  EXPECT_GT(allocations - before, 0);
  EXPECT_GT(scope.needed(), memory.size());
  EXPECT_EQ(calls.y(), y);
  EXPECT_EQ(calls.dx(), dx);
}

// Of axes that no kernel takes as they lie: x is gathered.
Setting gathered(const Shape& shape) {
  return {{.name = "by_hand", .statistics = Axes::of({0, 2}), .affine = Axes::of({1, 3})}, shape};
}

TEST(Allocations, AreNoneInCallsOfTensOfMebibytesLikeOneBefore) {
  Calls<float> calls(gathered({40, 31, 43, 47}), false);
  calls.run();
  const std::int64_t before = allocations;
  calls.run();
  EXPECT_EQ(allocations - before, 0);
}

// A small block does not take the place of a large one that the next call wants.
TEST(Allocations, AreNoneAfterASmallerCallOfLargeTensors) {
  const Setting setting{{.name = "by_hand", .statistics = Axes::of({0, 2, 4})}, {8, 8, 8, 8, 8, 320}};
  const Shape statistic = statistics_shape(setting.descriptor, setting.shape);
  const auto count = static_cast<std::size_t>(setting.shape.elements());
  const std::vector<float> x(count, 1);
  std::vector<float> y(count);
  std::vector<double> mean(static_cast<std::size_t>(statistic.elements()));
  std::vector<double> second = mean;
  std::int64_t more = -1;
  std::thread([&] {
    statistics(setting.descriptor, {x.data(), setting.shape}, {mean.data(), statistic}, {second.data(), statistic});
    for (int round = 0; round < 3; ++round) {
      const std::int64_t before = allocations;
      inference(setting.descriptor, {x.data(), setting.shape}, {}, {}, {std::as_const(mean).data(), statistic},
                {std::as_const(second).data(), statistic}, {y.data(), setting.shape});
      more = allocations - before;
    }
  }).join();
  EXPECT_EQ(more, 0);
}

// What a call wants does not depend on what is in x: constant columns, too, are normalized where they lie.
TEST(Workspace, OfConstantColumnsIsThatOfOthers) {
  const Descriptor descriptor = batch_norm(0.0);
  const Shape shape{5000, 20};
  std::vector<double> x(100'000), y(100'000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i * 7919 % 1013);
  std::size_t needed[2];
  for (std::size_t& bytes : needed) {
    const WorkspaceScope measure(nullptr, 0);
    forward(descriptor, {std::as_const(x).data(), shape}, {}, {}, {y.data(), shape}, {}, {});
    bytes = measure.needed();
    for (std::size_t i = 3; i < x.size(); i += 20) x[i] = 0;
  }
  EXPECT_EQ(needed[1], needed[0]);
}

// More than 64 MiB are not kept; the caller's workspace has no such limit.
TEST(Workspace, ServesCallsOfAnySize) {
  Calls<float> calls(gathered({134, 31, 43, 47}), false);
  std::size_t needed = 0;
  {
    const WorkspaceScope measure(nullptr, 0);
    calls.run();
    needed = measure.needed();
  }
  EXPECT_GT(needed, std::size_t{64} << 20);
  std::vector<std::byte> memory(needed);
  const WorkspaceScope scope(memory.data(), needed);
  const std::int64_t before = allocations;
  calls.run();
  EXPECT_EQ(allocations - before, 0);
}

TEST(Workspace, WithoutMemoryButWithASizeIsAnError) {
  EXPECT_THROW(WorkspaceScope(nullptr, 64), Error);
  std::byte small[3];
  EXPECT_NO_THROW(WorkspaceScope(small, sizeof small));
}

TEST(Workspace, NestsAndServesItsThreadAlone) {
  Calls<float> calls({batch_norm(), {64, 32}}, false);
  const WorkspaceScope outer(nullptr, 0);
  {
    const WorkspaceScope inner(nullptr, 0);
    calls.run();
    EXPECT_GT(inner.needed(), 0U);
  }
  EXPECT_EQ(outer.needed(), 0U);
  calls.run();
  EXPECT_GT(outer.needed(), 0U);
}

// Also by the first call of a thread, whatever its shape.
TEST(Workspace, ServesAThreadThatHasNeverCalled) {
  std::int64_t more = -1;
  std::thread([&] {
    std::vector<float> x(4096, 1.0F), y(4096);
    std::vector<std::byte> memory(std::size_t{1} << 20);
    const norma::WorkspaceScope scope(memory.data(), memory.size());
    const std::int64_t before = allocations;
    for (std::int64_t rows = 1; rows <= 64; ++rows) {
      const Shape shape{rows, 64};
      forward(layer_norm(), ConstTensorView(x.data(), shape), {}, {}, TensorView(y.data(), shape), {}, {});
    }
    more = allocations - before;
  }).join();
  EXPECT_EQ(more, 0);
}

// As destructors of thread-local and static objects may that are older than the first call.
TEST(Allocations, OfCallsAfterTheThreadsOwnMemoryIsGone) {
  static std::vector<double> late;
  struct Late {
    void call() const {
      std::vector<double> x(4096, 1.0), gamma(64, 1.0), dgamma(64, -1.0), rstd(64, 1.0);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 7);
      const Shape shape{64, 64}, columns{64};
      const ConstTensorView view(x.data(), shape), ones(gamma.data(), columns);
      backward(batch_norm(), view, view, ones, ones, ConstTensorView(rstd.data(), columns), {},
               TensorView(dgamma.data(), columns), {});
      late = dgamma;
    }
    ~Late() { call(); }
  };
  std::thread([] {
    thread_local const Late last;
    last.call();
    late.clear();
  }).join();
  ASSERT_EQ(late.size(), 64U);
  std::vector<double> expected;
  std::swap(expected, late);
  Late().call();
  EXPECT_EQ(late, expected);
}

}  // namespace
}  // namespace norma
