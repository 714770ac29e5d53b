//! Makes a test of every check, on the brokers that `$brokers` gives.

macro_rules! each_check {
    ($with:path) => {
        $crate::each::each_check! { $with:
            a_topic_is_made_once_and_another_of_its_name_has_another_id
            too_many_replicas_are_refused
            records_come_back_byte_for_byte_with_their_offsets
            broken_and_oversized_batches_are_refused
            a_fetch_waits_is_limited_and_knows_its_range
            offsets_are_found_by_place_and_by_time
            the_producer_places_keys_as_murmur2_does
            what_is_sent_compressed_is_small_and_comes_back_as_it_was
            a_group_goes_on_where_it_committed
            members_share_and_take_over_at_once
            an_unknown_group_is_told
            what_a_topic_of_another_member_gains_is_given_out
            offsets_of_an_earlier_topic_are_not_believed
            a_topic_made_anew_under_its_member_begins_as_another_assignment
            a_topic_tells_its_partitions_ranges_and_times
            the_settings_of_a_topic_tell_who_gave_them
            a_history_comes_in_the_order_of_time
            the_tail_of_a_topic_is_found
            what_comes_is_read_live
        }
    };
    ($with:path: $($check:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                $with(async |brokers| checks::$check(&brokers).await).await;
            }
        )*
    };
}

pub(crate) use each_check;
