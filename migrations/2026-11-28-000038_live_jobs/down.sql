drop index event_object;
