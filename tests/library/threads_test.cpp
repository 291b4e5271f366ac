// The caller's own threads: whatever the pool does with the tasks, the bits are those of one thread.
#include "norma/threads.h"

#include <gmock/gmock.h>
#include <omp.h>

#include <stdexcept>
#include <thread>

#include "kernels_support.h"

namespace norma {
namespace {

using ::testing::HasSubstr;
using testing::Problem;
using ::testing::ThrowsMessage;

using Body = void (*)(void*, int);

// What a pool was asked for.
struct Asked {
  int calls = 0;
  int most_tasks = 0;
  void count(int tasks) {
    ++calls;
    most_tasks = std::max(most_tasks, tasks);
  }
};

void one_after_the_other(void* asked, int tasks, Body body, void* context) {
  static_cast<Asked*>(asked)->count(tasks);
  for (int task = 0; task < tasks; ++task) body(context, task);
}

void from_the_last(void* asked, int tasks, Body body, void* context) {
  static_cast<Asked*>(asked)->count(tasks);
  for (int task = tasks; task-- > 0;) body(context, task);
}

void a_thread_each(void* asked, int tasks, Body body, void* context) {
  static_cast<Asked*>(asked)->count(tasks);
  std::vector<std::thread> threads;
  for (int task = 0; task < tasks; ++task) threads.emplace_back(body, context, task);
  for (std::thread& thread : threads) thread.join();
}

struct Setting {
  Descriptor descriptor;
  Shape shape;
  Layout layout = Layout::kChannelsFirst;
};

// Every way the kernels cut their work: rows with and without sums of their own, slabs and whole sweeps of columns,
// gathered axes, and masks.
std::vector<Setting> settings() {
  return {{layer_norm(), {300, 515}},
          {batch_norm(), {2222, 131}},
          {batch_norm(), {5000, 67}},
          {batch_norm(), {16, 13, 29, 31}},
          {batch_norm(), {16, 13, 29, 31}, Layout::kChannelsLast},
          {group_norm(4), {16, 24, 17, 19}, Layout::kChannelsLast},
          {instance_norm(), {16, 13, 29, 31}, Layout::kChannelsLast},
          {{.name = "channels", .statistics = Axes::of({1}), .affine = Axes::of({1})}, {16, 40, 17, 19}},
          {{.name = "by_hand", .statistics = Axes::of({0, 2}), .affine = Axes::of({1, 3})}, {16, 13, 29, 31}}};
}

using Results = std::vector<std::vector<double>>;

// Every operation, with a mask over the first axis or without.
template <class T>
Results compute(const Problem<T>& p, bool masked) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(p.shape[0]), 1);
  for (std::size_t i = 0; i < bytes.size(); i += 3) bytes[i] = 0;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(p.shape.rank()), 1);
  sizes[0] = p.shape[0];
  const MaskView mask = masked ? MaskView(bytes.data(), Shape{std::span<const std::int64_t>(sizes)}) : MaskView();
  std::vector<T> y(p.elements()), dx(p.elements()), z(p.elements()), dz(p.elements());
  std::vector<T> dgamma(p.gamma.size()), dbeta(p.gamma.size()), dgamma_constant(p.gamma.size());
  std::vector<double> mean(p.statistics()), rstd(p.statistics()), centre(p.statistics()), m2(p.statistics());
  forward(p.descriptor, p.view(p.x), p.affine_view(p.gamma), p.affine_view(p.beta), p.view(y), p.statistic_view(mean),
          p.statistic_view(rstd), mask);
  statistics(p.descriptor, p.view(p.x), p.statistic_view(centre), p.statistic_view(m2), mask);
  const auto means = p.statistic_view(std::as_const(mean));
  const auto spread = p.statistic_view(std::as_const(rstd));
  backward(p.descriptor, p.view(p.dy), p.view(p.x), p.affine_view(p.gamma), means, spread, p.view(dx),
           p.affine_view(dgamma), p.affine_view(dbeta), mask);
  inference(p.descriptor, p.view(p.x), p.affine_view(p.gamma), p.affine_view(p.beta), means, spread, p.view(z), mask);
  inference_backward(p.descriptor, p.view(p.dy), p.view(p.x), p.affine_view(p.gamma), means, spread, p.view(dz),
                     p.affine_view(dgamma_constant), {}, mask);
  Results results{mean, rstd, centre, m2};
  for (const std::vector<T>* one : {&y, &dx, &dgamma, &dbeta, &z, &dz, &dgamma_constant}) {
    results.emplace_back(one->begin(), one->end());
  }
  return results;
}

template <class T>
void expect_the_bits_of_one_thread(ParallelFor pool, bool masked) {
  for (const Setting& setting : settings()) {
    SCOPED_TRACE(std::string(setting.descriptor.name) + " of " + setting.shape.to_string());
    const Problem<T> p(setting.descriptor, setting.shape, setting.layout, 1);
    Results alone;
    {
      const ThreadsScope scope({.count = 1});
      alone = compute(p, masked);
    }
    for (const int threads : {1, 2, 3, 5, 8, 16}) {
      Asked asked;
      const ThreadsScope scope({.count = threads, .parallel_for = pool, .context = &asked});
      EXPECT_TRUE(compute(p, masked) == alone) << threads << " threads";
      EXPECT_LE(asked.most_tasks, threads);
      EXPECT_EQ(asked.calls > 0, threads > 1) << "a call that one task can do needs no pool, others do";
    }
  }
}

TEST(CallersPool, ThatRunsTasksOneAfterTheOtherGivesTheBitsOfOneThread) {
  expect_the_bits_of_one_thread<float>(one_after_the_other, false);
  expect_the_bits_of_one_thread<double>(one_after_the_other, false);
  expect_the_bits_of_one_thread<float>(one_after_the_other, true);
}

TEST(CallersPool, ThatBeginsWithTheLastTaskGivesTheBitsOfOneThread) {
  expect_the_bits_of_one_thread<float>(from_the_last, false);
  expect_the_bits_of_one_thread<float>(from_the_last, true);
}

TEST(CallersPool, OfRealThreadsGivesTheBitsOfOneThread) {
  expect_the_bits_of_one_thread<float>(a_thread_each, false);
  expect_the_bits_of_one_thread<double>(a_thread_each, true);
}

TEST(CallersPool, ServesItsThreadAloneAndAsLongAsTheScopeLives) {
  const int before = max_threads();
  {
    Asked asked;
    const ThreadsScope scope({.count = 5, .parallel_for = one_after_the_other, .context = &asked});
    EXPECT_EQ(max_threads(), 5);
    {
      const ThreadsScope inner({.count = 3});
      EXPECT_EQ(max_threads(), 3);
    }
    EXPECT_EQ(max_threads(), 5);
    int elsewhere = 0;
    std::thread([&] { elsewhere = max_threads(); }).join();
    EXPECT_EQ(elsewhere, before);
  }
  EXPECT_EQ(max_threads(), before);
}

TEST(CallersPool, IsNotAskedForASmallCall) {
  const Problem<float> p(layer_norm(), {32, 64}, Layout::kChannelsFirst, 1);
  Asked asked;
  const ThreadsScope scope({.count = 16, .parallel_for = a_thread_each, .context = &asked});
  compute(p, false);
  EXPECT_EQ(asked.calls, 0);
}

// What a call holds of its thread is its own until it ends: calls of so many other kinds want the same place.
TEST(CallersPool, MayEnterOtherCallsFromItsTasks) {
  const Problem<float> p(batch_norm(), {16, 13, 29, 31}, Layout::kChannelsFirst, 1);
  Results alone;
  {
    const ThreadsScope scope({.count = 1});
    alone = compute(p, false);
  }
  int entered = 0;
  const auto pool = [](void* context, int tasks, Body body, void* task) {
    std::vector<float> x(1024, 1.0F), y(1024);
    for (int n = 0; n < tasks; ++n) {
      body(task, n);
      for (std::int64_t rows = 1; rows <= 512; ++rows) {
        const Shape shape{rows, 2};
        forward(layer_norm(), ConstTensorView(x.data(), shape), {}, {}, TensorView(y.data(), shape), {}, {});
        ++*static_cast<int*>(context);
      }
    }
  };
  const ThreadsScope scope({.count = 3, .parallel_for = pool, .context = &entered});
  EXPECT_TRUE(compute(p, false) == alone);
  EXPECT_GT(entered, 0);
}

TEST(CallersPool, MayThrowOutOfTheCall) {
  const Problem<float> p(layer_norm(), {300, 515}, Layout::kChannelsFirst, 1);
  const ParallelFor broken = [](void*, int, Body, void*) { throw std::runtime_error("the pool is gone"); };
  {
    const ThreadsScope scope({.count = 4, .parallel_for = broken});
    EXPECT_THAT([&] { compute(p, false); }, ThrowsMessage<std::runtime_error>("the pool is gone"));
  }
  EXPECT_NO_THROW(compute(p, false));
}

TEST(OpenMp, RunsAsManyThreadsAsTheScopeSaysAndOneWithinItsOwnRegions) {
  EXPECT_EQ(max_threads(), omp_get_max_threads());
  const ThreadsScope scope({.count = 7});
  EXPECT_EQ(max_threads(), 7);
  int inside = 0;
#pragma omp parallel num_threads(2)
  {
#pragma omp master
    inside = max_threads();
  }
  EXPECT_EQ(inside, 1);
}

TEST(Threads, OfAnImpossibleNumberAreAnError) {
  for (const int count : {-1, 65537}) {
    EXPECT_THAT([&] { const ThreadsScope scope({.count = count}); },
                ThrowsMessage<Error>(HasSubstr("[threads] count")));
  }
  EXPECT_THAT([] { const ThreadsScope scope({.count = 0, .parallel_for = one_after_the_other}); },
              ThrowsMessage<Error>(HasSubstr("expected 1 to 65536 with a parallel_for, got 0")));
}

}  // namespace
}  // namespace norma
