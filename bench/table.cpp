#include "table.h"

#include <cstdio>

#include "machine.h"
#include "targets.h"

namespace norma::bench {

double Row::of(const std::string& contender) const {
  for (const auto& [name, time] : seconds) {
    if (name == contender) return time;
  }
  return 0;
}

bool Row::in_cache() const {
  static const std::int64_t cache = reachable_cache_bytes();
  return c.bytes() <= cache;
}

void print_header(bool fresh) {
  std::printf(
      "\n%s; ratio: peer's time / ours; roof: the share of a streaming copy, by the floor's streams\n",
      fresh ? "Outputs as a framework's users get them: allocated by each call" : "Outputs preallocated for all");
  std::printf("%-36s %2s %10s %7s %5s %12s %6s %11s %6s %11s %6s  %s\n", "case", "t", "norma us", "GB/s", "roof",
              "libtorch us", "ratio", "oneDNN us", "ratio", "blocked us", "ratio", "missed targets");
}

void print_row(const Row& row) {
  const double rate = static_cast<double>(row.c.bytes()) / row.ours();
  std::printf("%-36s %2d %10.1f %7.1f %4.0f%%", row.c.name().c_str(), row.threads, row.ours() * 1e6, rate * 1e-9,
              100 * row.share_of_roof());
  for (const char* peer : {"libtorch", "oneDNN", "oneDNN blocked"}) {
    const double time = row.of(peer);
    if (time > 0) {
      std::printf(" %11.1f %5.2fx", time * 1e6, time / row.ours());
    } else {
      std::printf(" %11s %6s", "-", "-");
    }
  }
  std::printf(" ");
  for (const Target& target : targets_of(row)) {
    if (!target.met()) std::printf(" %s %.2f<%.2f", target.what.c_str(), target.reached, target.wanted);
  }
  if (row.allocations > 0) std::printf(" %d allocations a call", static_cast<int>(row.allocations));
  std::printf("\n");
  std::fflush(stdout);
}

nlohmann::json to_json(const Row& row) {
  nlohmann::json json{{"case", row.c.name()},
                      {"threads", row.threads},
                      {"outputs", row.fresh ? "allocated" : "preallocated"},
                      {"bytes", row.c.bytes()},
                      {"streams", row.c.streams()},
                      {"in_cache", row.in_cache()},
                      {"share_of_roof", row.share_of_roof()}};
  if (row.allocations >= 0) json["allocations_per_call"] = row.allocations;
  for (const auto& [name, time] : row.seconds) {
    json["seconds"][name] = time;
    if (time != row.ours()) json["ratio"][name] = time / row.ours();
  }
  for (const Target& target : targets_of(row)) {
    json["targets"].push_back({{"what", target.what},
                               {"wanted", target.wanted},
                               {"reached", target.reached},
                               {"at_the_roof", target.at_the_roof},
                               {"met", target.met()}});
  }
  return json;
}

}  // namespace norma::bench
