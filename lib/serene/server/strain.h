// Strain on whoever answers, told from the customers' side alone: for how long angry customers have followed each other
// in the history. Nothing here knows who answered; a history belongs to one place of work.
#pragma once

#include <cstdint>

#include "serene/call/playbook.h"
#include "serene/server/history.h"

namespace serene {

// Minutes of angry calls in a row up to now: lengths of the newest calls that are over, summed backwards until one was
// not angry, or half an hour or more lay between two of them or between the last and now. A call was angry when a rule
// that one of the playbook's strain_of signals names raised an alert or showed advice in it. Calls that still run are
// passed over; nothing that started more than a day ago counts. 0 without such a signal. now_s: seconds since 1970,
// 0: the clock of the system. Result in 0..1440. Throws Error as History does.
double strain_before_min(const History& history, const Playbook& playbook, std::int64_t now_s = 0);

}  // namespace serene
