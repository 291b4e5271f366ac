// Norma inside another engine, in C++: the engine's threads, the engine's memory.
#include <norma/norma.h>

#include <cstdio>
#include <thread>
#include <utility>
#include <vector>

namespace {

// The engine's pool: here a thread for every task.
void run_tasks(void* /*pool*/, int tasks, void (*body)(void*, int), void* context) {
  std::vector<std::thread> threads;
  for (int task = 1; task < tasks; ++task) threads.emplace_back(body, context, task);
  body(context, 0);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

int main() {
  const norma::Shape shape{64, 1024};
  std::vector<float> x(64 * 1024), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 17);
  const norma::ConstTensorView in(std::as_const(x).data(), shape);
  const norma::TensorView out(y.data(), shape);

  // This thread's calls run on the engine's pool as long as the scope lives.
  const norma::ThreadsScope threads({.count = 4, .parallel_for = run_tasks});

  // How much memory the call wants, and then the call with memory of the engine's: nothing comes from the heap.
  std::size_t bytes = 0;
  {
    const norma::WorkspaceScope measure(nullptr, 0);
    norma::forward(norma::batch_norm(), in, {}, {}, out, {}, {});
    bytes = measure.needed();
  }
  std::vector<std::byte> arena(bytes);
  const norma::WorkspaceScope workspace(arena.data(), arena.size());
  norma::forward(norma::batch_norm(), in, {}, {}, out, {}, {});

  std::printf("y[0] = %.4f with %zu bytes of the engine's memory\n", static_cast<double>(y[0]), bytes);
  return workspace.needed() == bytes ? 0 : 1;
}
