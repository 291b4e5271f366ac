#include "table.h"

#include <cstdio>

namespace norma::bench {

void print_header(bool fresh) {
  std::printf(
      "\n%s; ratio: peer's time / ours\n",
      fresh ? "Outputs as a framework's users get them: allocated by each call" : "Outputs preallocated for all");
  std::printf("%-40s %2s %11s %7s %6s %11s %6s %11s %6s\n", "case", "t", "norma us", "GB/s", "copy%", "libtorch us",
              "ratio", "oneDNN us", "ratio");
}

void print_row(const Row& row) {
  const double ours = row.seconds.front().second;
  const double rate = static_cast<double>(row.bytes) / ours;
  std::printf("%-40s %2d %11.1f %7.1f %5.0f%%", row.name.c_str(), row.threads, ours * 1e6, rate * 1e-9,
              100 * rate / row.copy_bandwidth);
  for (std::size_t i = 1; i < row.seconds.size(); ++i) {
    std::printf(" %11.1f %5.2fx", row.seconds[i].second * 1e6, row.seconds[i].second / ours);
  }
  std::printf("\n");
  std::fflush(stdout);
}

nlohmann::json to_json(const Row& row) {
  nlohmann::json json{{"case", row.name},
                      {"threads", row.threads},
                      {"outputs", row.fresh ? "allocated" : "preallocated"},
                      {"bytes", row.bytes}};
  for (const auto& [name, seconds] : row.seconds) {
    json["seconds"][name] = seconds;
    json["gb_per_second"][name] = static_cast<double>(row.bytes) / seconds * 1e-9;
    json["fraction_of_copy"][name] = static_cast<double>(row.bytes) / seconds / row.copy_bandwidth;
  }
  return json;
}

}  // namespace norma::bench
