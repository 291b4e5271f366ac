#include "sizes.h"

#include <cstdio>

#include "allocations.h"
#include "contender.h"
#include "timing.h"

namespace norma::bench {
namespace {

constexpr Layout kFirst = Layout::kChannelsFirst;
constexpr Layout kLast = Layout::kChannelsLast;

struct Timed {
  double seconds;
  std::int64_t allocations;
};

Timed time_alone(const Case& c, double budget) {
  const Inputs inputs = make_inputs(c);
  std::vector<std::unique_ptr<Contender>> alone;
  alone.push_back(make_norma(c, inputs, false));
  const double seconds = time_in_turns(alone, budget).front();
  alone.front()->run();  // takes its outputs
  const std::int64_t before = allocations();
  alone.front()->run();
  return {seconds, allocations() - before};
}

struct Series {
  Norm norm;
  Operation operation;
  Layout layout;
};

constexpr Series kSeries[] = {
    {Norm::kLayer, Operation::kForward, kFirst},    {Norm::kLayer, Operation::kBackward, kFirst},
    {Norm::kRms, Operation::kForward, kFirst},      {Norm::kRms, Operation::kBackward, kFirst},
    {Norm::kBatch, Operation::kForward, kFirst},    {Norm::kBatch, Operation::kInference, kFirst},
    {Norm::kBatch, Operation::kBackward, kFirst},   {Norm::kBatch, Operation::kForward, kLast},
    {Norm::kBatch, Operation::kInference, kLast},   {Norm::kBatch, Operation::kBackward, kLast},
    {Norm::kGroup, Operation::kForward, kFirst},    {Norm::kGroup, Operation::kBackward, kFirst},
    {Norm::kInstance, Operation::kForward, kFirst}, {Norm::kInstance, Operation::kBackward, kFirst},
};

std::string label(const Case& c) {
  const std::string name = c.name();
  return name.substr(0, name.rfind(' '));
}

}  // namespace

nlohmann::json small_calls(double budget) {
  nlohmann::json rows = nlohmann::json::array();
  std::printf("\nSmall calls through the C++ API, one thread: ns, and allocations after the first\n");
  for (const Norm norm : {Norm::kLayer, Norm::kRms, Norm::kBatch}) {
    for (const Operation operation : {Operation::kForward, Operation::kInference, Operation::kBackward}) {
      if (norm != Norm::kBatch && operation == Operation::kInference) continue;
      const Case c{norm, operation, {32, 64}, kFirst};
      const Timed timed = time_alone(c, budget);
      std::printf("%-36s %8.0f %4d\n", c.name().c_str(), timed.seconds * 1e9, static_cast<int>(timed.allocations));
      rows.push_back({{"case", c.name()}, {"seconds", timed.seconds}, {"allocations_per_call", timed.allocations}});
    }
  }
  return rows;
}

nlohmann::json time_over_size(double budget) {
  nlohmann::json rows = nlohmann::json::array();
  std::printf("\nTime over size, one thread: ns per 1,000 elements at 256 times 1, 10, ... elements\n");
  for (const Series& series : kSeries) {
    nlohmann::json points = nlohmann::json::array();
    std::string name;
    for (std::int64_t n = 1; n <= 100'000; n *= 10) {
      const bool rows_norm = series.norm == Norm::kLayer || series.norm == Norm::kRms;
      const Shape shape = rows_norm                     ? Shape{n, 256}
                          : series.norm == Norm::kGroup ? Shape{n, 64, 2, 2}
                                                        : Shape{n, 16, 4, 4};
      const Case c{series.norm, series.operation, shape, series.layout};
      name = label(c);
      points.push_back({{"elements", shape.elements()}, {"seconds", time_alone(c, budget).seconds}});
    }
    std::printf("%-20s", name.c_str());
    for (const auto& point : points) {
      std::printf(" %8.0f", point["seconds"].get<double>() * 1e12 / point["elements"].get<double>());
    }
    std::printf("\n");
    rows.push_back({{"series", name}, {"points", points}});
  }
  return rows;
}

nlohmann::json time_over_width(double budget) {
  constexpr std::int64_t kWidths[] = {64, 127, 128, 768, 1024, 3584, 4096, 4097};
  constexpr std::int64_t kElements = 1 << 20;
  nlohmann::json rows = nlohmann::json::array();
  std::printf("\nTime over width, one thread: ns per 1,000 elements of a million, at widths of");
  for (const std::int64_t width : kWidths) std::printf(" %d", static_cast<int>(width));
  std::printf("\n");
  const auto sweep = [&](const Series& series, auto shape_of) {
    nlohmann::json points = nlohmann::json::array();
    std::string name;
    for (const std::int64_t width : kWidths) {
      const Case c{series.norm, series.operation, shape_of(width), series.layout};
      name = label(c);
      points.push_back(
          {{"width", width}, {"elements", c.shape.elements()}, {"seconds", time_alone(c, budget).seconds}});
    }
    std::printf("%-20s", name.c_str());
    for (const auto& point : points) {
      std::printf(" %8.0f", point["seconds"].get<double>() * 1e12 / point["elements"].get<double>());
    }
    std::printf("\n");
    rows.push_back({{"series", name}, {"points", points}});
  };
  for (const Operation operation : {Operation::kForward, Operation::kBackward}) {
    const auto flat = [](std::int64_t width) { return Shape{kElements / width, width}; };
    sweep({Norm::kLayer, operation, kFirst}, flat);
    sweep({Norm::kBatch, operation, kFirst}, flat);
    sweep({Norm::kBatch, operation, kFirst}, [](std::int64_t width) {
      return Shape{kElements / 16 / width, 16, width, 1};
    });
    sweep({Norm::kBatch, operation, kLast}, [](std::int64_t width) {
      return Shape{kElements / 4 / width, width, 2, 2};
    });
  }
  return rows;
}

}  // namespace norma::bench
